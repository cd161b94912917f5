#pragma once

#include "base/json.h"
#include "base/result.h"

namespace sockdoc::bench {

/** A document on a line of its own, on stdout: that is how whoever started us is told. */
void say(const Json& document);
void say(const Error& error);

}  // namespace sockdoc::bench
