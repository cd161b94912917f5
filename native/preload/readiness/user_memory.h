#pragma once

#include <cstddef>

namespace sockdoc::preload {

/**
 * True when the program's memory can be read, or written, there. Where the kernel would give EFAULT, our own access
 * would end the program. Known pages cost nothing; another one costs a system call.
 */
[[nodiscard]] bool readable(const void* from, std::size_t size);
/** Overwrites 8 bytes of each page that is not known yet. */
[[nodiscard]] bool writable(void* to, std::size_t size);

}  // namespace sockdoc::preload
