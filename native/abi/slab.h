#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "abi/direction.h"

/**
 * The layout of a slab: one sealed memfd that two processes share with nobody else, with slots for their connections.
 * docs/protocol/shared-memory.md says it in prose.
 *
 * The geometry (slots, ring bytes) comes from the monitor's answer (abi/messages.h). The header repeats it for people
 * who look at a memory dump: whoever takes it from there trusts the peer.
 */
namespace sockdoc::abi {

inline constexpr std::uint64_t kSlabMagic = 0x62616c73636b6373;  // "sckcslab"
inline constexpr std::size_t kPage = 4096;
inline constexpr std::uint32_t kMaxSlots = 1024;
inline constexpr std::uint32_t kMinRingBytes = 4096;
inline constexpr std::uint32_t kMaxRingBytes = 16u << 20;

/** Which end of a connection: the monitor says it to each. End 0 sends by direction 0, end 1 by direction 1. */
inline constexpr unsigned kEnds = 2;

/** Written once by the monitor, before anybody else has the slab. */
struct SlabHeader {
  std::uint64_t magic;
  std::uint32_t version;  // kSharedMemoryVersion
  std::uint32_t slots;
  std::uint32_t ring_bytes;  // of each direction; a power of two
  std::uint32_t reserved;
  std::uint64_t id;
};

/**
 * Whether who sleeps on connections of the slab, one thread on an epoll set, is awake: a number of that sleep << 2 |
 * kByDoorbell | kAsleep. Before he marks them he says that he sleeps, by a new number. A sender who has seen that, has
 * then given bytes to the kernel on one of them, none of which is held back, clears kAsleep by a compare-and-swap from
 * what it saw; and so does the sleeper when he is awake by himself.
 * kByDoorbell: the slab's doorbell wakes him too. A sender who has the other end may go on by the ring at once; he
 * rings when the bytes are there, and clears kAsleep then.
 */
struct alignas(kWriterAlignment) Watch {
  static constexpr std::uint64_t kAsleep = 1;
  static constexpr std::uint64_t kByDoorbell = 2;
  static constexpr unsigned kBits = 2;
  std::atomic<std::uint64_t> state;
};
inline constexpr unsigned kWatches = 30;

/** Behind the header, in its page. */
struct WatchPage {
  alignas(kWriterAlignment) std::atomic<std::uint32_t> taken;  // a bit for each that is in use
  Watch watches[kWatches];
};
inline constexpr std::size_t kWatchesOffset = kWriterAlignment;

/** What an end says of itself in EndWords::flags. */
inline constexpr std::uint32_t kSaidShutdown = 1;  // shutdown(2) of its writing half: the end of the stream is meant
inline constexpr std::uint32_t kSaidClose = 2;     // close(2), the last one

/** Written by one end, read by the other. */
struct alignas(kWriterAlignment) EndWords {
  std::atomic<std::uint64_t> mapped;  // the slot's generation once this end looks here: only then may bytes go by ring
  std::atomic<std::uint32_t> flags;
  std::atomic<std::uint32_t> cpu;  // where it ran when it last looked, + 1; for a peer that thinks of spinning
  /**
   * Not 0: this end waits here, by futex(2), for whatever the other sends next. Who has sent, by whatever carrier, sets
   * it to 0 and wakes who waits, before a call that may take long, too. They wait for 10 ms at most, so that a peer who
   * does not wake them costs them no more.
   */
  std::atomic<std::uint32_t> bell;
  std::atomic<std::uint32_t> watch;  // that of who sleeps here, + 1; for kWatched
  std::uint64_t reserved[13];
};

/** The first page of a slot; the two rings follow, that of direction 0 first. All zero when an end gets the slot. */
struct SlotHead {
  Direction directions[2];
  EndWords ends[kEnds];
};

[[nodiscard]] constexpr bool valid_geometry(std::uint32_t slots, std::uint32_t ring_bytes) {
  return slots >= 1 && slots <= kMaxSlots && ring_bytes >= kMinRingBytes && ring_bytes <= kMaxRingBytes &&
         (ring_bytes & (ring_bytes - 1)) == 0;
}

[[nodiscard]] constexpr std::uint64_t slot_bytes(std::uint32_t ring_bytes) {
  return kPage + 2 * std::uint64_t{ring_bytes};
}

[[nodiscard]] constexpr std::uint64_t slot_offset(std::uint32_t slot, std::uint32_t ring_bytes) {
  return kPage + slot * slot_bytes(ring_bytes);
}

[[nodiscard]] constexpr std::uint64_t ring_offset(std::uint32_t slot, std::uint32_t ring_bytes, unsigned direction) {
  return slot_offset(slot, ring_bytes) + kPage + direction * std::uint64_t{ring_bytes};
}

[[nodiscard]] constexpr std::uint64_t slab_bytes(std::uint32_t slots, std::uint32_t ring_bytes) {
  return slot_offset(slots, ring_bytes);
}

static_assert(sizeof(SlabHeader) == 32);
static_assert(sizeof(EndWords) == 128 && offsetof(EndWords, flags) == 8 && offsetof(EndWords, bell) == 16);
static_assert(sizeof(SlotHead) == 768 && offsetof(SlotHead, ends) == 512);
static_assert(sizeof(SlabHeader) <= kWatchesOffset && kWatchesOffset + sizeof(WatchPage) <= kPage);
static_assert(sizeof(SlabHeader) <= kPage && sizeof(SlotHead) <= kPage);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace sockdoc::abi
