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
 * Which slots have something for an end: its peer sets a slot's bit after it moved bytes or switched, the end clears it
 * before it looks. So waiting costs the ready connections, not all.
 */
struct alignas(kWriterAlignment) ReadySlots {
  std::atomic<std::uint64_t> words[kMaxSlots / 64];
};

/** The first page of a slab. */
struct SlabHead {
  SlabHeader header;
  ReadySlots ready[kEnds];  // by the end that is to look
};

/**
 * Who works on one role of a direction now: thread id and a generation in one word, 0 for nobody. Taken by
 * compare-and-swap; a dead holder's is taken over.
 */
using OwnerWord = std::atomic<std::uint64_t>;

/** What an end waits by: `doorbell generation << 8 | doorbell index`, 0 while it does not wait. The peer rings then. */
using WaitWord = std::atomic<std::uint64_t>;

/** Written by one end, read by the other. */
struct alignas(kWriterAlignment) EndWords {
  WaitWord waits_for_bytes;
  WaitWord waits_for_room;
  OwnerWord sending;    // among the threads and processes of this end
  OwnerWord receiving;  // the same
  std::atomic<std::uint32_t> flags;
  std::atomic<std::uint32_t> cpu;  // where it spins; meaningless while it does not
  std::atomic<std::uint64_t>
      mapped;  // the slot's generation once this end has mapped it: only then may bytes go by ring
  std::uint64_t reserved[10];
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

static_assert(sizeof(SlabHeader) == 32 && sizeof(ReadySlots) == 128);
static_assert(sizeof(SlabHead) == 384 && offsetof(SlabHead, ready) == 128);
static_assert(sizeof(EndWords) == 128 && offsetof(EndWords, mapped) == 40);
static_assert(sizeof(SlotHead) == 768 && offsetof(SlotHead, ends) == 512);
static_assert(sizeof(SlabHead) <= kPage && sizeof(SlotHead) <= kPage);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace sockdoc::abi
