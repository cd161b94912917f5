#pragma once

#include <string>

#include "base/result.h"

namespace sockdoc {

/** What a write answers with: {} when it was done, else {"errno":"EACCES","what":"open /proc/sys/…"}. */
std::string write_answer(const Status& status);

}  // namespace sockdoc
