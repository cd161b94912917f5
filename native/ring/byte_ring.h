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

  /** Sender: puts in as much of `bytes` as fits, nothing while the kernel is wanted; the number, or kRingViolated. */
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

  /** Sender: bytes that can be written, by a fresh look; or kRingViolated. */
  [[nodiscard]] std::size_t writable();

  /** Receiver: from now on nothing comes by the ring; false when it is not empty. */
  [[nodiscard]] bool want_kernel();
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
