#pragma once

#include "base/result.h"
#include "bench/stream.h"

namespace sockdoc::bench {

/** Writes {"address": …} on a line of stdout, then serves one connection after the other until stdin ends. */
[[nodiscard]] Status serve(Address address);

}  // namespace sockdoc::bench
