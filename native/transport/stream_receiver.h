#pragma once

#include <optional>

#include "ring/byte_ring.h"
#include "transport/kernel_stream.h"

namespace sockdoc {

/** The receiving half: see StreamSender. One at a time per direction; all state is in the shared words. */
class StreamReceiver {
 public:
  StreamReceiver(abi::Direction& shared, ByteRing ring, KernelStream kernel)
      : shared_(shared), ring_(ring), kernel_(kernel) {}

  /**
   * Takes what is there without waiting, up to the next switch. The end of the stream is reported once everything that
   * came before it has been taken.
   */
  [[nodiscard]] Moved receive(std::span<std::byte> into);

 private:
  enum class Step { moved, again };

  struct Ahead {
    bool valid = true;
    std::optional<abi::Switch> next;
    std::uint64_t room = ~std::uint64_t{0};  // bytes until the next switch
  };

  Step receive_ring(std::span<std::byte> into, Moved& result);
  Step receive_kernel(std::span<std::byte> into, Moved& result);
  [[nodiscard]] Ahead look_ahead() const;
  void take(const abi::Switch& next);
  void count(std::size_t bytes);

  abi::Direction& shared_;
  ByteRing ring_;
  KernelStream kernel_;
};

}  // namespace sockdoc
