#pragma once

#include <cstdint>

#include "abi/messages.h"
#include "preload/table/table.h"

namespace sockdoc::preload {

/*
 * Sockets that were there before libsd. What they have carried is told by the kernel's counters, when they are about to
 * leave the kernel: all bytes that calls gave to it, and all that calls got.
 */

struct KernelCounts {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  bool sent_anew = false;  // some bytes were, by the kernel
};

enum class Counting {
  counted,
  moving,   // bytes came or went meanwhile, or it is not established (any more)
  unclear,  // the kernel's counters contradict each other
};

/**
 * `sent` is what was acknowledged and what is still queued, less the opener's SYN, which is acknowledged as a byte.
 * Whether it was the opener is told by a second sum, bytes first sent and not yet sent, which has no SYN. This sum is
 * wrong for ever once a first transmission was dropped on its way out, or one that was made anew found no memory; where
 * it is by one byte, the opener is mistaken. So `sent` has to be proved by what the peer has received before a ring is
 * used: Connection::prove().
 */
[[nodiscard]] Counting count_by_kernel(int fd, KernelCounts& into);

/** What has to be known of such a socket before anybody is asked about it. */
struct Suitability {
  bool later = false;                               // not now: not established, or half of it was shut down
  abi::Reason stays = abi::Reason::none;            // why the kernel has to keep it
  abi::Reason stays_receiving = abi::Reason::none;  // the same for what it receives
};
[[nodiscard]] Suitability look_at_adopted(int fd);

}  // namespace sockdoc::preload
