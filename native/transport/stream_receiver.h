#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "ring/byte_ring.h"
#include "transport/kernel_stream.h"

namespace sockdoc {

/** What a receiver that found nothing may do next. */
enum class Rest {
  sleep,       // whatever comes next makes the kernel's socket readable
  bytes,       // there is something to receive
  impossible,  // the shared words cannot be what an honest peer wrote
};

/** The receiving half: see StreamSender. One at a time per direction; all state is in the shared words. */
class StreamReceiver {
 public:
  StreamReceiver(abi::Direction& shared, ByteRing ring, KernelStream kernel)
      : shared_(shared), ring_(ring), kernel_(kernel) {}

  /**
   * Takes what is there without waiting, up to the next switch. The end of the stream is reported once everything that
   * came before it has been taken. No signal handler may use the same role meanwhile.
   */
  [[nodiscard]] Moved receive(std::span<std::byte> into);

  /** The part of receive() that needs no system call and that a signal handler may interrupt: 0 bytes if it does not
   * apply now. */
  [[nodiscard]] Moved receive_by_ring(std::span<std::byte> into);

  /**
   * The same where all goes by the ring, in as few steps as can be: without a look at the sender's line as long as
   * `into` is filled with what is known to be there. No switch is taken. 0 bytes also when there are fewer than
   * `fewest`.
   */
  [[nodiscard]] std::size_t receive_at_once(std::span<std::byte> into, std::size_t fewest);

  /** Whether receive() would find bytes in the ring, by a fresh look and without a system call. */
  [[nodiscard]] bool ring_is_next();
  /** True when receive() would find nothing; only where the ring carries. Cheaper, and a handler may interrupt it. */
  [[nodiscard]] bool nothing_yet();
  /** Bytes in the ring, whatever comes before them. */
  [[nodiscard]] std::size_t in_ring();

  /**
   * How many bytes are to be received until the ring is empty, those of the kernel among them. Only where no more come
   * into it (forbid_ring()); kRingViolated where the shared words cannot be.
   */
  [[nodiscard]] std::size_t until_ring_is_empty();

  /** Like receive(), leaving the bytes where they are, and across all switches. `into` is written to beyond them. */
  [[nodiscard]] Moved peek(std::span<std::byte> into);

  /**
   * Before sleeping in the kernel, on this socket alone or on many: asks the sender to wake us by it. `once`: after the
   * first byte that does he may use the ring; see ByteRing::want_kernel().
   */
  [[nodiscard]] Rest rest(bool once = false);
  /** After rest(once): see ByteRing. */
  [[nodiscard]] bool want_always() { return ring_.want_always(); }
  /** After it: bytes may come by the ring again. */
  void awake() { ring_.want_ring(); }
  /** Like rest(), whatever the ring holds; `watched`: see ByteRing::forbid(). */
  void forbid_ring(bool watched = false) { ring_.forbid(watched); }
  [[nodiscard]] bool watched() const { return ByteRing::watched(ring_.sleeper()); }
  /** Resting, and the sender may not end that by himself. */
  [[nodiscard]] bool resting_plainly() const { return ByteRing::plain(ring_.sleeper()); }
  [[nodiscard]] bool resting() const { return ring_.kernel_wanted(); }

  /**
   * From where in the stream this direction goes on: before the sender may use the ring, and after a while in which it
   * was forbidden and the program read by itself what the kernel had. False: the shared words cannot be what an honest
   * peer wrote.
   */
  [[nodiscard]] bool go_on(std::uint64_t received);

  /** Keeps an error that the kernel has told, until all that came before it is taken. */
  void defer(const Moved& by_kernel);

  /** That error, once; 0: there is none. For who leaves the rest to the kernel. */
  [[nodiscard]] int deferred();

  /** The sender, or somebody else, sends by the kernel without a word of it here. */
  [[nodiscard]] bool sender_is_alone() const { return (shared_.sender.kernel_sends.load() & abi::kSendsAlone) != 0; }
  /** As the sender says: the kernel has bytes that were not received, or is given some now; or a switch comes next. */
  [[nodiscard]] bool more_by_kernel() const;

  /**
   * Asks the sender to give nothing to the kernel, until let_sender_go(). What becomes of it is for sender_held() to
   * say: `held`, from there on he has sent by_kernel() bytes in all, and may only take it back until hold_finally().
   * False: somebody else who receives here has asked for it, and lets him go.
   */
  enum class Hold { held, sending, impossible };
  [[nodiscard]] bool hold_sender() {
    return (shared_.sender.kernel_sends.fetch_or(abi::kSenderHeld) & abi::kSenderHeld) == 0;
  }
  [[nodiscard]] Hold sender_held() const;
  [[nodiscard]] std::uint64_t by_kernel() const { return shared_.sender.kernel_sent.load(std::memory_order_relaxed); }
  /** False: he has taken it back, and sends. */
  [[nodiscard]] bool hold_finally();
  void let_sender_go() { shared_.sender.kernel_sends.fetch_and(~(abi::kSenderHeld | abi::kHeldFinally)); }

  /** Bytes ever received. */
  [[nodiscard]] std::uint64_t received() const;
  [[nodiscard]] abi::Carrier carrier() const;

 private:
  enum class Step { moved, again };

  struct Ahead {
    bool valid = true;
    std::optional<abi::Switch> next;
    std::uint64_t room = ~std::uint64_t{0};  // bytes until the next switch
  };

  struct Part {
    abi::Carrier carrier = abi::Carrier::kernel;
    std::size_t bytes = 0;
  };
  /** The next bytes of the stream, as far as they are there. */
  struct Reach {
    std::array<Part, abi::kSwitches + 1> parts = {};
    unsigned switches = 0;                        // between them
    std::size_t bytes = 0;                        // of all parts
    abi::Carrier carrier = abi::Carrier::kernel;  // of what comes behind them
  };

  Step receive_ring(std::span<std::byte> into, Moved& result);
  Step receive_kernel(std::span<std::byte> into, Moved& result);
  [[nodiscard]] Ahead look_ahead() const;
  void take(const abi::Switch& next);
  [[nodiscard]] Moved with_deferred(const Moved& by_kernel);
  /**
   * By the switches of now: at most so many bytes, where so many are in the ring, and so many in the kernel. Nothing:
   * the shared words cannot be what an honest peer wrote.
   */
  [[nodiscard]] std::optional<Reach> reach_of(std::size_t most, std::size_t in_ring, std::size_t in_kernel) const;
  [[nodiscard]] bool put_in_order(const Reach& reach, std::span<std::byte> into) const;
  /** The carrier of the next byte, after all switches that lie before it; and bytes up to the switch behind it. */
  [[nodiscard]] abi::Carrier next_carrier(std::uint64_t& room) const;

  abi::Direction& shared_;
  ByteRing ring_;
  KernelStream kernel_;
};

inline abi::Carrier StreamReceiver::carrier() const {
  return static_cast<abi::Carrier>(shared_.receiver.taken.load(std::memory_order_relaxed) & 1);
}

inline std::size_t StreamReceiver::receive_at_once(std::span<std::byte> into, std::size_t fewest) {
  abi::ReceiverWords& mine = shared_.receiver;
  if (carrier() != abi::Carrier::ring) return 0;
  const std::uint64_t head = mine.ring_head.load(std::memory_order_relaxed);
  std::uint64_t there = mine.clear_until.load(std::memory_order_relaxed) - head;
  if (there > ring_.capacity() || there < into.size()) {
    const std::uint64_t tail = abi::tail_bytes(shared_.sender.ring_tail.load(std::memory_order_acquire));
    there = tail - head;
    if (there > ring_.capacity()) return 0;
    // In this order: a switch that lies before these bytes was published before them.
    const std::uint64_t published = shared_.sender.published.load(std::memory_order_seq_cst);
    if (published >> 1 != mine.taken.load(std::memory_order_relaxed) >> 1) return 0;
    mine.clear_until.store(tail, std::memory_order_relaxed);
  }
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(there, into.size()));
  if (count == 0 || count < fewest) return 0;
  return ring_.take(into.first(count)) ? count : 0;
}

}  // namespace sockdoc
