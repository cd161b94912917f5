#pragma once

#include <span>

#include "base/result.h"

namespace sockdoc::bench {

/**
 * For each line of stdin, which says how many milliseconds, starts the command again and again, with no stdin and no
 * stdout, and waits for its end; answers {"count", "p50", "p99", "mean"}, in nanoseconds from the start to the end. A
 * command that fails ends it. `command` has the null behind its last word.
 */
[[nodiscard]] Status start_on_demand(std::span<char* const> command);

}  // namespace sockdoc::bench
