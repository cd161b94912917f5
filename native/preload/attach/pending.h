#pragma once

#include <cstdint>

#include "preload/libsd.h"

namespace sockdoc::preload {

/**
 * What sockdoc_libsd_pending finds in r11, which a system call destroys like rcx: how far the kernel had come with the
 * call.
 */
struct Progress {
  std::uint32_t done = 0;       // bytes or messages that were moved; only where the call waits for more
  std::uint32_t waited_ms = 0;  // of a timeout that begins anew with the call

  static constexpr Progress of(std::uint64_t word) {
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
  }
};

/** Makes system call `number` as the hooks make it, or by the kernel where nothing is patched: the kernel's result,
 * -errno. */
extern "C" long sockdoc_make_pending_call(long number, const long* arguments, std::uint64_t progress);

}  // namespace sockdoc::preload
