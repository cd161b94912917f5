#pragma once

#include "preload/patch/image.h"
#include "preload/patch/patcher.h"

namespace sockdoc::preload {

/**
 * Sets the originals that nobody has set yet to libc's functions. The first call of a hook does it, when that
 * comes before the constructor: another library's constructor may read from a file. A function that this libc lacks
 * becomes one that fails with ENOSYS.
 */
extern "C" void sockdoc_resolve_originals();

/** Ends the calling thread when that was asked for and it allows it: what a call that needs no system call has of a
 * cancellation point. Does nothing where the libc has threads in a library of its own (glibc before 2.34). */
extern void (*test_cancel)();

enum class Exports { hooks, libc };

/**
 * What the dynamic symbols of libsd.so lead to: hooks, or libc itself. With patches, a call that is `patched` goes to
 * its hook either way, and one that is not reaches a patched one inside of libc: its hook would count twice. After
 * sockdoc_resolve_originals(). Only stores.
 */
void lead_exports_to(Exports where, std::span<const Request> patched = {});

/**
 * The entries of `libc` that have to be patched so that every call arrives, each once: those that make the system
 * call themselves, under all their names and versions. The span points to memory of this function.
 */
[[nodiscard]] std::span<const Request> requests_for(const Image& libc);

}  // namespace sockdoc::preload
