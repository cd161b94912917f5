#pragma once

#include <cstdint>

namespace sockdoc::preload {

/*
 * A program with an io_uring lets the kernel itself move bytes on its sockets: what a ring of ours holds would be
 * missed. liburing makes its own system calls, which no hook sees. So connections stay on the kernel where it is in the
 * process, and where there is a descriptor of an io_uring, however it was made.
 */

/** At load: whether an object of this process exports liburing's functions. */
[[nodiscard]] bool has_liburing();

/**
 * Whether the process has an io_uring now. Looks at its descriptors, but for the sockets that are known: not more often
 * than once a second, nor for more than a hundredth of the time. False in between.
 */
[[nodiscard]] bool has_io_uring();

}  // namespace sockdoc::preload
