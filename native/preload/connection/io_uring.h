#pragma once

#include <cstdint>

#include "preload/patch/image.h"

namespace sockdoc::preload {

/*
 * A program with an io_uring lets the kernel itself move bytes on its sockets: what a ring of ours holds would be
 * missed. liburing makes its own system calls, which no hook sees. So connections stay on the kernel where it is in the
 * process, and where there is a descriptor of an io_uring, however it was made.
 */

/** At load: whether an object of this process exports liburing's functions. */
[[nodiscard]] bool has_liburing();

/** At load: which code search_for_setup() looks at. Not libc's, which makes an io_uring by a function with a hook. */
void prepare_search(const Image& libc);

/**
 * Goes on with a search for instructions that make an io_uring themselves, in the code that was there at load: a
 * fraction of a millisecond. True once all was looked at, and none was found.
 */
[[nodiscard]] bool search_for_setup();
/** Whether some were found. */
[[nodiscard]] bool found_setup();
/** In a child: no thread of its parent searches. */
void search_anew_in_child();

/**
 * Whether the process has an io_uring now. Looks at its descriptors, but for the sockets that are known: not more often
 * than once a second, nor for more than a hundredth of the time. False in between.
 */
[[nodiscard]] bool has_io_uring();

}  // namespace sockdoc::preload
