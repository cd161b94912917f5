#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "abi/direction.h"

namespace sockdoc {

/** Told apart from "nothing moved": the shared indexes cannot be what two honest sides wrote. */
inline constexpr std::size_t kRingViolated = ~std::size_t{0};

/**
 * The byte ring of one direction, over indexes and data that somebody else maps. One sender and one receiver at a
 * time; all state is in the shared words, so that either role may pass to another thread or process, which
 * synchronises by whatever gave it the role. Never waits, never allocates. `data` has a power of two of bytes.
 *
 * Bytes are announced and given back by one compare-and-swap each, at the end. It fails, and nothing has moved, when
 * the receiver has asked for the kernel meanwhile, or a signal handler has used the same role.
 *
 * Indexes count bytes since the ring was made and do not wrap in practice. They are masked where data is touched, so
 * that no value of them reaches outside of it.
 */
class ByteRing {
 public:
  ByteRing(abi::Direction& shared, std::span<std::byte> data) : shared_(shared), data_(data) {}

  [[nodiscard]] std::size_t capacity() const { return data_.size(); }

  /**
   * Sender: puts in as much of `bytes` as fits, and as there are pages for; nothing while the kernel is wanted. The
   * number, or kRingViolated.
   */
  [[nodiscard]] std::size_t write(std::span<const std::byte> bytes);

  /** Receiver: takes out at most `into.size()` bytes; the number of bytes, or kRingViolated. */
  [[nodiscard]] std::size_t read(std::span<std::byte> into);

  /** Receiver: like read(), from `skip` bytes ahead, and leaves the bytes where they are. */
  [[nodiscard]] std::size_t peek(std::span<std::byte> into, std::size_t skip = 0);

  /**
   * Receiver: bytes that can be read, or kRingViolated. The sender's line is only looked at when those known of are
   * fewer than `wanted`; without it that is always.
   */
  [[nodiscard]] std::size_t readable(std::size_t wanted = ~std::size_t{0});

  /**
   * Sender: where write() takes nothing for want of pages, the memory that has to be there before it goes on, and then
   * pages_came(); about as much as was needed since the last ones went. Empty: it is not that.
   */
  [[nodiscard]] std::span<std::byte> missing_pages();
  void pages_came(std::size_t bytes);
  /** Sender: from here on pages have to be made sure of, so they may go now. False: the ring is not empty. */
  [[nodiscard]] bool forget_pages();
  /** Bytes that were made sure of, or used, since the pages last went. */
  [[nodiscard]] std::size_t pages() const;
  /** Sender, at the beginning: only the first `bytes` are sure to have pages. */
  void begin_with_pages(std::size_t bytes);
  /**
   * Receiver: an empty ring stays empty until let_go(), with what this returned, and the pages may go meanwhile. A
   * sender that is writing at this moment announces nothing.
   */
  enum class Held { no, resting, awake };
  [[nodiscard]] Held hold();
  void let_go(Held held);
  /** Where it lies: for giving pages back. */
  [[nodiscard]] std::span<std::byte> memory() const { return data_; }

  /** Sender: bytes that can be written, by a fresh look; or kRingViolated. */
  [[nodiscard]] std::size_t writable();

  /**
   * Receiver: from now on nothing comes by the ring; false when it is not empty. `once`: only until the sender has
   * sent something by the kernel (woke()); for one that sleeps alone, and calls want_always() afterwards.
   */
  [[nodiscard]] bool want_kernel(bool once = false);
  /** Receiver, after want_kernel(once): false when the sender has been and bytes may come by the ring. */
  [[nodiscard]] bool want_always();
  /** Sender: what woke() wants to know, from before bytes were given to the kernel. */
  [[nodiscard]] std::uint64_t sleeper() const { return shared_.sender.ring_tail.load(std::memory_order_acquire); }
  [[nodiscard]] static bool woken_once(std::uint64_t sleeper) {
    return (sleeper & (abi::kKernelWanted | abi::kWokenOnce)) == (abi::kKernelWanted | abi::kWokenOnce);
  }
  /** Sender: those bytes are on their way, so that sleeper needs no more of them. False: he sleeps anew since. */
  [[nodiscard]] bool woke(std::uint64_t sleeper);
  /** Receiver: bytes may come by the ring again. */
  void want_ring();
  /** Receiver: like want_kernel(), whatever the ring holds. */
  void forbid();
  /** Sender, in a signal handler: what a write() that was interrupted would announce is not. */
  void interrupt();
  [[nodiscard]] bool kernel_wanted() const;

 private:
  void copy_in(std::uint64_t at, std::span<const std::byte> bytes);
  void copy_out(std::uint64_t at, std::span<std::byte> into) const;

  abi::Direction& shared_;
  std::span<std::byte> data_;
};

}  // namespace sockdoc
