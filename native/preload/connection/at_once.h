#pragma once

#include "preload/connection/bell.h"
#include "preload/connection/connection.h"

/*
 * The common case of a call that moves bytes: both ends are on the ring, awake, and the ring has them or has room. What
 * a small message costs is what these few lines cost, so they are inline and look at as few lines of memory as they
 * can; in all other cases they do nothing, and receive() and send() find out what there is to do.
 */
namespace sockdoc::preload {

/** Of so many receives one looks at the clock, and at times at the program's descriptors. */
inline constexpr std::uint32_t kReceivesAtOnce = 64;
/** Of so many sends one looks whether the peer has died, and at the clock. */
inline constexpr std::uint32_t kSendsAtOnce = 64;

inline std::size_t Connection::receive_at_once(Handle self, std::span<std::byte> into, std::size_t fewest) {
  const std::uint32_t calls = calls_.load(std::memory_order_relaxed) + 1;
  if (calls % kReceivesAtOnce == 0 || !here()) return 0;
  const Holding holding(receiving_);
  const std::uint32_t otherwise = flags_.load(std::memory_order_relaxed) | marked_.load(std::memory_order_relaxed) |
                                  natively_.load(std::memory_order_relaxed) |
                                  unreported_.load(std::memory_order_relaxed);
  if (otherwise != 0 || holding.nested() || handle_.load(std::memory_order_relaxed) != self.word() || has_unread()) {
    return 0;
  }
  const std::size_t got = inbound().receive_at_once(into, fewest);
  if (got != 0) calls_.store(calls, std::memory_order_relaxed);
  return got;
}

template <typename... Bytes>
inline bool Connection::send_at_once(Handle self, Bytes... bytes) {
  const std::uint32_t sends = sends_.load(std::memory_order_relaxed) + 1;
  if (sends % kSendsAtOnce == 0 || !here()) return false;
  std::atomic<std::uint32_t>* bell = nullptr;
  {
    const Holding holding(sending_);
    const bool peer_closed = (slot_->ends[1 - end_].flags.load(std::memory_order_relaxed) & abi::kSaidClose) != 0;
    const bool shut_down = (slot_->ends[end_].flags.load(std::memory_order_relaxed) & abi::kSaidShutdown) != 0;
    if (has(kStaySending | kBroken | kRested) || peer_closed || shut_down || holding.nested() ||
        handle_.load(std::memory_order_relaxed) != self.word() || !outbound().send_at_once(bytes...)) {
      return false;
    }
    sends_.store(sends, std::memory_order_relaxed);
    bell = bell_to_ring();
  }
  if (bell != nullptr) [[unlikely]]
    ring_bell(*bell);
  return true;
}

}  // namespace sockdoc::preload
