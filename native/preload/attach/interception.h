#pragma once

#include "preload/libsd.h"
#include "preload/patch/patcher.h"

namespace sockdoc::preload {

/**
 * Which way calls are caught in this process, and why: one of it. Changed at load, by sockdoc_libsd_attach(), and under
 * a stop alone.
 */
struct Interception {
  sockdoc_libsd_state status = {SOCKDOC_LIBSD_NOT_STARTED, 0, nullptr, "", 0};
  std::span<const Request> requests;
  Patcher patcher;

  void remember(const Refusal& refusal);
  /** The same, and the result of a call that failed. */
  [[nodiscard]] int refuse(const Refusal& refusal);
  /** By symbols alone. */
  void interpose();
  /** What is to be patched of `libc`, and the trampolines; once. */
  Refusal prepare(const Image& libc);
  /** Only stores, but for mprotect(2). */
  Refusal patch();
};

extern Interception interception;

/** SOCKDOC_DISABLE keeps libsd out. */
[[nodiscard]] bool disabled_by_environment();
/** Another copy of this library is at work. Takes the loader's lock. */
[[nodiscard]] bool another_copy_works();

/**
 * Calls on a socket before the monitor is asked about it: short connections stay on the kernel. An upgrade pays for
 * itself after some 3 round trips between two CPUs and some 60 on one (docs/decisions/0037).
 */
inline constexpr std::uint64_t kAskAfter = 32;

/** Where there is a monitor: what has to be known of the process before its connections may leave the kernel. */
void prepare_for_rings(const Image& libc);

}  // namespace sockdoc::preload
