#pragma once

#include "ring/byte_ring.h"
#include "transport/kernel_stream.h"

namespace sockdoc {

/**
 * The sending half of a stream whose bytes go by the kernel's socket or by a ring, and change over at any byte. One at
 * a time per direction; all state is in the shared words, so that another thread or process may go on after it.
 *
 * A switch is published as (stream offset, carrier); the receiver changes over there. The one danger is a kernel
 * read that began before bytes went over to the ring: it knows no limit, and must not meet kernel bytes of a later
 * part. So going back to the kernel waits for the end of such a read, and only for that: never until something is
 * consumed.
 */
class StreamSender {
 public:
  StreamSender(abi::Direction& shared, ByteRing ring, KernelStream kernel)
      : shared_(shared), ring_(ring), kernel_(kernel) {}

  /**
   * Sends what can be sent without waiting. What the ring has no room for goes by the kernel, so that it takes at
   * least what the kernel alone would.
   */
  [[nodiscard]] Moved send(std::span<const std::byte> bytes);

  /** True when bytes from here on go by `to`; false when that cannot be now. */
  [[nodiscard]] bool switch_to(abi::Carrier to);

  /** True when the receiver has taken all that the ring carried and all switches: the time to go back to the ring. */
  [[nodiscard]] bool drained() const;

  [[nodiscard]] abi::Carrier carrier() const;

 private:
  [[nodiscard]] bool older_read_ended() const;
  void publish(abi::Carrier to);
  void count(std::size_t bytes);

  abi::Direction& shared_;
  ByteRing ring_;
  KernelStream kernel_;
};

}  // namespace sockdoc
