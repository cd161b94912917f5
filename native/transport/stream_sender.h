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
   * From where in the stream this direction goes on. Once, before the first switch. `pages`: how much of the ring is
   * sure to have memory; the rest is asked for by missing_pages().
   */
  void begin(std::uint64_t sent, std::size_t pages = ~std::size_t{0});
  /** After a while in which the program sent by itself, all by the kernel: `sent` bytes in all by now. */
  void go_on(std::uint64_t sent);

  /**
   * Sends what can be sent without waiting. What the ring has no room for goes by the kernel, so that it takes at
   * least what the kernel alone would; so does everything while the receiver sleeps in the kernel, which wakes it.
   * No signal handler may use the same role meanwhile.
   */
  [[nodiscard]] Moved send(std::span<const std::byte> bytes);

  /** What the ring did not take goes by the kernel, in one call. EBUSY: the receiver holds us, see enter_kernel(). */
  [[nodiscard]] Moved send_by_kernel(std::span<const iovec> parts);
  /** Whether that has woken a receiver who needs no more than that. */
  [[nodiscard]] bool has_woken() const { return has_woken_; }

  /** The part of send() that needs no system call and that a signal handler may interrupt: what the ring takes now. */
  [[nodiscard]] Moved send_by_ring(std::span<const std::byte> bytes);

  /** The same for all of them, where nothing has to be looked at for it. False: nothing was sent. */
  [[nodiscard]] bool send_at_once(std::span<const std::byte> bytes) {
    return carrier() == abi::Carrier::ring && ring_.write_whole(bytes);
  }
  /** And for all `bytes` of several parts: a receiver who looks meanwhile finds none of them, or all. */
  [[nodiscard]] bool send_at_once(std::span<const iovec> parts, std::size_t bytes) {
    return carrier() == abi::Carrier::ring && ring_.write_whole(parts, bytes);
  }

  /** The same after a look at how much the receiver has taken. */
  [[nodiscard]] bool send_whole(std::span<const iovec> parts, std::size_t bytes) {
    const std::size_t room = ring_.writable();
    return room != kRingViolated && room >= bytes && send_at_once(parts, bytes);
  }

  /** True when bytes from here on go by `to`; false when that cannot be now. */
  [[nodiscard]] bool switch_to(abi::Carrier to);
  /** False when no switch will ever be possible: an honest receiver leaves a place for the way back. */
  [[nodiscard]] bool may_switch_back() const;
  /** The receiver has ended: nobody is in a read of the kernel's socket any more, whatever its words say. */
  void forget_older_read();

  /**
   * True when the receiver has taken all that the ring carried and all switches: the time to go back to the ring. After
   * `woken` he need not have taken the one to the kernel. So no more than one part of the stream lies in the ring.
   */
  [[nodiscard]] bool drained(bool woken = false) const;
  /** Bytes that the receiver has taken, by whatever carrier; and how many of the kernel's he has not. As he says. */
  [[nodiscard]] std::uint64_t taken() const;
  [[nodiscard]] std::uint64_t behind() const;
  /** The receiver sleeps, and may be sent the rest by the ring once a first part by the kernel has woken him. */
  [[nodiscard]] bool woken_once() const { return ByteRing::woken_once(ring_.sleeper()); }
  /** What awake_again() wants to know, from before a look whether the sleeper is awake. */
  [[nodiscard]] std::uint64_t sleeper() const { return ring_.sleeper(); }
  /** The sleeper is awake: he needs no more of the kernel's bytes. False: he sleeps anew since. */
  [[nodiscard]] bool awake_again(std::uint64_t sleeper) { return ring_.woke(sleeper); }
  /** Nothing that was sent by the kernel is held back. */
  [[nodiscard]] bool all_on_their_way() const { return kernel_.all_on_their_way(); }
  [[nodiscard]] bool kernel_wanted() const { return ring_.kernel_wanted(); }

  /** See ByteRing. */
  [[nodiscard]] std::span<std::byte> missing_pages() { return ring_.missing_pages(); }
  void pages_came(std::size_t bytes) { ring_.pages_came(bytes); }
  [[nodiscard]] bool forget_pages() { return ring_.forget_pages(); }

  /** For bytes that the caller gave to the kernel himself, after a switch to it. */
  void sent_by_kernel(std::size_t bytes);

  /**
   * Around every call that gives bytes to the kernel: the receiver may want that there is none for a moment. False: he
   * wants it now, until he lets go, or until take_leave() takes it back. leave_kernel() after sent_by_kernel().
   */
  [[nodiscard]] bool enter_kernel();
  void leave_kernel() { shared_.sender.kernel_sends.fetch_sub(1); }
  [[nodiscard]] bool held() const {
    return (shared_.sender.kernel_sends.load(std::memory_order_acquire) & abi::kSenderHeld) != 0;
  }
  /** Takes the receiver's wish back. False: it is too late for that, he has to let go himself. */
  [[nodiscard]] bool take_leave();
  /**
   * From now on somebody sends by the kernel without enter_kernel(), until send_alone_no_more(). False: not while the
   * receiver holds us.
   */
  [[nodiscard]] bool send_alone();
  void send_alone_no_more() { shared_.sender.kernel_sends.fetch_and(~abi::kSendsAlone); }

  [[nodiscard]] std::uint64_t sent() const;
  [[nodiscard]] abi::Carrier carrier() const;

 private:
  [[nodiscard]] std::uint64_t pending() const;
  [[nodiscard]] bool older_read_ended() const;
  void publish(abi::Carrier to);

  abi::Direction& shared_;
  ByteRing ring_;
  KernelStream kernel_;
  bool has_woken_ = false;
};

inline abi::Carrier StreamSender::carrier() const {
  return static_cast<abi::Carrier>(shared_.sender.published.load(std::memory_order_relaxed) & 1);
}

}  // namespace sockdoc
