#pragma once

#include <cstddef>

namespace sockdoc::preload {

/**
 * Whether the control groups of this process leave room for so many bytes more, and something for the program itself.
 * Pages of a ring that come where a group is full would have the kernel kill a process of it. Page cache counts in
 * half as free. True where nothing limits, or where that is not to be seen. Some system calls at times, no allocation.
 */
[[nodiscard]] bool memory_is_left_for(std::size_t bytes);

}  // namespace sockdoc::preload
