#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace sockdoc::bench {

/** "0,2" */
[[nodiscard]] Result<std::vector<int>> parse_cpus(const std::string& text);

/** The calling thread, and what it starts, runs on these CPUs alone. */
[[nodiscard]] Status confine_thread(const std::vector<int>& cpus);

/**
 * This process, also after execve(2), is killed when the thread that started it ends, however it ends. A process group
 * of its own, so that it can be ended with all that it starts; not a session: Linux gives each its share of a CPU
 * (autogroup), and two ends in two of them would be another case.
 */
void end_with_parent();

/** Becomes a command, found by PATH. Comes back only by errors. */
[[nodiscard]] Error become(std::span<char* const> command);

}  // namespace sockdoc::bench
