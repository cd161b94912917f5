#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

/**
 * The shared-memory layout of one direction of an upgraded connection: what sender and receiver tell each other.
 * docs/protocol/shared-memory.md says it in prose. Everything here may be scribbled over by the peer at any time: who
 * reads a word takes it once, checks its range, and never reads it again for the same decision.
 */
namespace sockdoc::abi {

/** Two libsd of different versions do not share memory. */
inline constexpr std::uint32_t kSharedMemoryVersion = 8;

/** Adjacent lines are fetched in pairs on x86, so that two writers on neighbouring ones still disturb each other. */
inline constexpr std::size_t kWriterAlignment = 128;

inline constexpr unsigned kSwitches = 8;

/** What carries the bytes of a direction. */
enum class Carrier : std::uint32_t { kernel = 0, ring = 1 };

/** "From stream offset `at` on, the bytes come by `carrier`", in one word so that it is published by one store. */
struct Switch {
  std::uint64_t at = 0;
  Carrier carrier = Carrier::kernel;

  [[nodiscard]] std::uint64_t word() const { return at << 1 | static_cast<std::uint64_t>(carrier); }
  static Switch of(std::uint64_t word) { return {word >> 1, static_cast<Carrier>(word & 1)}; }
};

/**
 * SenderWords::ring_tail: `interruptions << 56 | kPagesGone | kWokenOnce | kWatched | bytes << 1 | kKernelWanted`,
 * so that one compare-and-swap announces bytes only where nothing has happened since.
 *
 * kKernelWanted: the receiver sleeps in the kernel, or wants nothing else. While it is set no byte may be put into the
 * ring, so that whatever comes wakes it.
 * kWokenOnce, beside kKernelWanted: whoever sleeps is woken by the first byte from the kernel, and nobody else has to
 * be. The sender may clear both bits after it has sent that byte, by a compare-and-swap from what it saw before.
 * kWatched, beside kKernelWanted: who sleeps does so on several connections, and whether he is awake says the watch
 * that the receiver's end names (abi/slab.h). While he is, the sender may clear both bits, by a compare-and-swap from
 * what it saw before it looked there.
 * kPagesGone: the receiver has given the ring's pages back. While it is set no byte may be put into the ring: the
 * sender makes sure that there is memory before it clears it.
 * Interruptions: a signal handler counts up when it uses the role of the sender that it interrupted; and the receiver,
 * before it gives pages back, so that a sender that was writing announces nothing, and before it sleeps to be woken
 * once, or on a watch, so that a sender that woke it before does not clear the new wish.
 */
inline constexpr std::uint64_t kKernelWanted = 1;
inline constexpr std::uint64_t kWatched = std::uint64_t{1} << 53;
inline constexpr std::uint64_t kWokenOnce = std::uint64_t{1} << 54;
inline constexpr std::uint64_t kPagesGone = std::uint64_t{1} << 55;
inline constexpr std::uint64_t kInterruption = std::uint64_t{1} << 56;

/** The bytes of a ring_tail. */
[[nodiscard]] constexpr std::uint64_t tail_bytes(std::uint64_t word) { return (word & (kWatched - 1)) >> 1; }

/**
 * SenderWords::kernel_sends: how many calls of the sender are with the kernel now, and above that what both say of it.
 * A call of his begins by a compare-and-swap that adds one; not while kSenderHeld is set and there is none.
 * kSenderHeld, of the receiver: what was sent by the kernel is to be all there is, for a moment. The sender may clear
 * it while kHeldFinally is not set. kHeldFinally, of the receiver, by a compare-and-swap from kSenderHeld alone.
 * kSendsAlone, of the sender: he, or somebody else, sends by the kernel without a look here. He cannot be held.
 */
inline constexpr std::uint32_t kSenderHeld = std::uint32_t{1} << 31;
inline constexpr std::uint32_t kHeldFinally = std::uint32_t{1} << 30;
inline constexpr std::uint32_t kSendsAlone = std::uint32_t{1} << 29;

/** The calls of a kernel_sends. */
[[nodiscard]] constexpr std::uint32_t calls_of(std::uint32_t word) { return word & (kSendsAlone - 1); }

/** Written by the active sender, but for what the receiver says in ring_tail and kernel_sends. */
struct alignas(kWriterAlignment) SenderWords {
  std::atomic<std::uint64_t> ring_tail;       // bytes ever put into the ring: see tail_bytes()
  std::atomic<std::uint64_t> ring_head_seen;  // the receiver's ring_head when the sender last looked
  std::atomic<std::uint64_t> kernel_sent;     // bytes ever sent by the kernel
  std::atomic<std::uint64_t> published;       // switches ever published << 1 | carrier of the last
  std::atomic<std::uint64_t> pages_until;     // its bytes lie in pages that were made sure of, up to here; 0: all do
  std::atomic<std::uint64_t> pages_from;      // beginning here
  std::atomic<std::uint32_t> older_read;      // kernel_reads as it was when bytes last went over to the ring
  std::atomic<std::uint32_t> kernel_sends;    // see above
  std::atomic<std::uint64_t> switches[kSwitches];
};

/** Written by the active receiver. */
struct alignas(kWriterAlignment) ReceiverWords {
  std::atomic<std::uint64_t> ring_head;        // bytes ever taken out of the ring
  std::atomic<std::uint64_t> clear_until;      // bytes put into it, and no switch before them, when last looked at
  std::atomic<std::uint64_t> kernel_received;  // bytes ever received from the kernel
  std::atomic<std::uint64_t> taken;            // switches ever taken << 1 | carrier of the last
  std::atomic<std::uint32_t> kernel_reads;     // odd while a read of the kernel socket is under way
  std::atomic<std::uint32_t> error;            // the kernel has told it; it comes after what the ring still holds
};

/** Zero bytes are its initial state: nothing sent, the kernel carries. */
struct Direction {
  SenderWords sender;
  ReceiverWords receiver;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(sizeof(SenderWords) == 128 && sizeof(ReceiverWords) == 128 && sizeof(Direction) == 256);
static_assert(offsetof(SenderWords, switches) == 56 && offsetof(ReceiverWords, kernel_reads) == 32);

}  // namespace sockdoc::abi
