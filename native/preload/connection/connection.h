#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "abi/messages.h"
#include "abi/slab.h"
#include "preload/connection/bell.h"
#include "preload/connection/role.h"
#include "preload/connection/slabs.h"
#include "preload/connection/unread.h"
#include "preload/table/table.h"
#include "transport/stream_receiver.h"
#include "transport/stream_sender.h"

namespace sockdoc::preload {

class Watches;

/** What a call came to: as the program sees it, with the errno value where the result is -1. */
struct Result {
  long value = 0;
  int error = 0;
  bool native = false;  // the program's own call has said it: what else it wrote is right
  bool again = false;   // nothing was done, the connection rests now: to be called anew, by the gate
};

inline constexpr Result kAgain = {-1, 0, false, true};

/** The program's own call, to be made at most once. */
class Native {
 public:
  template <typename Call>
  explicit Native(Call& call)
      : function_([](void* made) { return static_cast<long>((*static_cast<Call*>(made))()); }), call_(&call) {}
  /** errno is as the call left it. */
  [[nodiscard]] long operator()() const { return function_(call_); }

 private:
  long (*function_)(void*);
  void* call_;
};

/** A call that moves bytes: which descriptor, which memory, and how the program wants it. */
struct Transfer {
  int fd;
  int flags;  // MSG_…
  std::span<const iovec> parts;
  std::size_t bytes;       // of all parts
  bool waits;              // neither O_NONBLOCK nor MSG_DONTWAIT
  bool cancellable;        // a cancellation point
  bool as_kernel = false;  // how it waits was not asked: only the kernel was to be called
  bool begun = false;      // messages of the same call went before it: an end is told as after a part of it
};

/** How long somebody who gives a socket away waits for what the peer, or the kernel, has to do. */
inline constexpr std::uint64_t kPatienceMs = 1000;

inline constexpr std::size_t kRestParts = 16;
/**
 * The memory behind the first `done` bytes of a transfer, as many parts as fit; how many they are. What is missing is
 * the program's to go on with, after a shorter result.
 */
[[nodiscard]] std::size_t rest_of(const Transfer& transfer, std::size_t done, iovec (&rest)[kRestParts]);

/**
 * This process's record of a socket whose bytes go, or went, by shared memory. Never unmapped, and used again for
 * another socket only after both roles were taken: whoever comes late finds that it is another's.
 *
 * For readiness, beside what the send and receive hooks do by themselves. A socket is readable when the kernel says so
 * or has_ring_bytes(); writable when the kernel says so. Who is about to sleep on it, in whatever call, alone or
 * with others, calls let_kernel_wake() first and awake() afterwards, each once.
 */
class Connection {
 public:
  /** The ring holds bytes that a read would deliver now. No system call. */
  [[nodiscard]] bool has_ring_bytes();
  /** has_ring_bytes() would say no, and nothing is unread. In fewer steps: it is asked of many that have nothing. */
  [[nodiscard]] bool is_drained() const {
    return here() && !has(kBroken) && !has_unread() &&
           abi::tail_bytes(slot_->directions[1 - end_].sender.ring_tail.load(std::memory_order_acquire)) ==
               slot_->directions[1 - end_].receiver.ring_head.load(std::memory_order_relaxed);
  }

  /**
   * From now on, until awake(), whatever comes makes the kernel's socket readable. False: there are bytes in the ring
   * already, do not sleep (and do not call awake()). Sleepers are counted. `self`: whose connection it is, by the word
   * of its handle; where it is another's (libsd has left meanwhile, and come again), the first is false, and the second
   * does nothing: those who sleep there now are not us.
   */
  [[nodiscard]] bool let_kernel_wake(std::uint64_t self, bool once = false);
  void awake(std::uint64_t self);

  /** The same in any case: who waits with others looks at what is there after it. Not counted. */
  void mark(Handle self);
  /**
   * The same, as long as the thread sleeps whose watches these are: once one of their connections has woken it the
   * others may go on by their rings. It looks at this one before it sleeps again. False: nothing was done.
   */
  [[nodiscard]] bool mark_watched(Handle self, Watches& watches);
  /** What comes wakes by the kernel, whatever a watch says. Whether a sleeper may count on what came already. */
  bool unwatch(Handle self);
  [[nodiscard]] bool is_watched() const { return here() && inbound().watched(); }
  /** Nothing comes by the ring until this process says so. */
  [[nodiscard]] bool is_marked_plainly() const { return !here() || inbound().resting_plainly(); }
  /** After mark(), by who is awake again: bytes may come by the ring, unless somebody else sleeps. */
  void unmark(Handle self);

  /** Ring bytes ever announced by the peer: when it changes, something came (edge-triggered readiness). */
  [[nodiscard]] std::uint64_t arrivals() const;
  /** Bytes ever received on it while it was on rings, by whatever carrier. */
  [[nodiscard]] std::uint64_t received() const;

  /** Both directions go by the kernel from here on, for good: `reason` is reported. */
  void keep_on_kernel(abi::Reason reason);
  /** The same for what this process receives: somebody waits for it in a way that only the kernel knows. */
  void receive_by_kernel(abi::Reason reason);

  /**
   * Somebody who knows of no ring is about to use the socket: both directions go by the kernel from here on, for good.
   * False: bytes lie in the ring, which he would miss; or the peer stood in the middle of a read until `deadline`
   * (coarse_ms()). `fd` leads to the socket in the calling process, which may be a child of vfork().
   */
  [[nodiscard]] bool hand_over(int fd, abi::Reason reason, std::uint64_t deadline);
  /**
   * After hand_over(): what the ring still holds goes to memory that those who get the socket share. False: some of it
   * does not, since its memory or the bytes of the kernel before it were not there at `deadline` (coarse_ms()).
   */
  [[nodiscard]] bool set_aside(int fd, std::uint64_t deadline);
  /**
   * The program that is executed now gets what was set aside; or does not, after exec has failed. False: it was not to
   * be had. In the process that executes.
   */
  [[nodiscard]] bool leave_unread(bool to_next_program);
  /**
   * After set_aside(), where nobody could read what was set aside: `peer`, the other end, is this process's too, by
   * `peer_fd`, and sends it anew by the kernel, with all that came behind it. False: it could not, and the stream is
   * broken.
   */
  [[nodiscard]] bool send_anew(int fd, Connection& peer, int peer_fd, std::uint64_t deadline);
  /**
   * After hand_over() or go_back(): what lies unread goes back into the kernel's connection, behind which nothing came
   * meanwhile: the peer is held, and the monitor sends it in his name. Also in a child of the process that has the
   * memory, which asks the monitor itself. False: it is readable as before in that process, or the connection is
   * broken; who is not that process has to reset it. Waits until `deadline` (coarse_ms()), and a little longer for a
   * monitor that has begun.
   */
  [[nodiscard]] bool return_to_kernel(int fd, std::uint64_t deadline);
  /** The monitor does not do it. */
  void not_returned() { not_returned_ = 1; }
  /** The same for who waits for little, and asks again and again, while the program does not read. */
  void return_at_times(int fd);
  /**
   * After go_back(): who sends from now on does so without a look at the memory. False: the peer is about to return
   * what he has not read. With all other threads stopped.
   */
  [[nodiscard]] bool send_alone() { return !here() || send_alone(true); }
  /** At the start of a program: `fd` is the memory of bytes that came before what this socket holds. */
  void inherit_unread(Handle self, std::uint64_t cookie, int fd);
  /** In a child: no thread of its parent holds anything. */
  void forked();
  /** Whether bytes that were set aside come first. */
  [[nodiscard]] bool has_unread() const { return unread_.any(); }

  /** The process that has the memory; of bytes that a program inherited, its own. */
  [[nodiscard]] std::int32_t process() const { return process_ == kNobody ? inherited_by_ : process_; }
  /** Whether this process has the memory: a child does not, and has but the kernel, where that was prepared for it. */
  [[nodiscard]] bool here() const { return process_ == table.process(); }
  [[nodiscard]] std::uint64_t cookie() const { return cookie_; }
  [[nodiscard]] Handle handle() const { return Handle(handle_.load(std::memory_order_relaxed)); }
  /** The other end of the same connection. */
  [[nodiscard]] bool faces(const Connection& other) const {
    return slot_ == other.slot_ && end_ != other.end_ && here() && other.here();
  }

  /**
   * The common case of receive() and send(), in few steps: bytes that go by the ring, and nothing else is to be done.
   * 0, and false: nothing was done. receive_at_once() takes no fewer than `fewest` bytes, send_at_once() all: a span of
   * them, or parts and how many bytes these are.
   */
  [[nodiscard]] std::size_t receive_at_once(Handle self, std::span<std::byte> into, std::size_t fewest);
  template <typename... Bytes>
  [[nodiscard]] bool send_at_once(Handle self, Bytes... bytes);

  [[nodiscard]] Result receive(const Transfer& transfer, Native call);
  [[nodiscard]] Result send(const Transfer& transfer, Native call);
  /** A call that sends by itself: sendfile, splice, a message with control data. `begun`: a part of it has gone. */
  [[nodiscard]] Result send_by_kernel(int fd, bool waits, Native call, bool begun = false);
  /** A call that receives by itself: after the ring is drained the direction stays on the kernel. False: it is not. */
  [[nodiscard]] bool receives_natively();

  /** Only the kernel is asked when this process receives: how the program waits is then the kernel's affair. */
  [[nodiscard]] bool all_by_kernel() const { return natively_.load(std::memory_order_relaxed) != 0; }

  /** Bytes in the ring, or set aside, that wait to be read by us; in the ring, by the peer. */
  [[nodiscard]] std::size_t unread();
  [[nodiscard]] std::size_t unsent() const;

  /**
   * Like hand_over(), as far as it goes at once: in the midst of whatever this thread and others do. To be called again
   * while directions_left().
   */
  void go_back(int fd, abi::Reason reason);
  /** After hand_over() or go_back(): how many of the two directions the kernel does not have yet, with what is unread
   * of it. */
  [[nodiscard]] std::uint32_t directions_left() const {
    if (!here()) return has_unread() ? 1 : 0;
    return (natively_.load() == 0 || has_unread() ? 1U : 0U) + (sends_natively_.load() == 0 ? 1U : 0U);
  }

  /** Why the kernel does not have that direction yet, of enum sockdoc_attach_why; 0: it has. */
  [[nodiscard]] std::uint32_t why_receiving() const;
  [[nodiscard]] std::uint32_t why_sending() const;

  /** Both directions are the kernel's for good, here or by whoever forked us. */
  [[nodiscard]] bool gone_back() const { return !here() || (has(kStayReceiving) && has(kStaySending)); }

  /** A thread works on it, as far as one can see. */
  [[nodiscard]] bool in_use() const { return sending_.taken() || receiving_.taken(); }
  /** After hand_over(): who still looks at its memory finds nothing there. With all other threads stopped. */
  void make_inert(MappedSlab& no_slab);
  /** It has its memory, and is on the kernel for a while by the program's own calls, which the gate counts. */
  [[nodiscard]] bool rested() const { return has(kRested); }
  [[nodiscard]] bool gone_back_for_good() const { return has(kStayReceiving | kStaySending | kBroken); }
  /** Bytes that were sent, and received, by the ring. */
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> by_ring() const;
  /** Before a fork: to the kernel in both directions until this process has the socket alone again. */
  void lend(int fd, std::uint64_t deadline);

  /** The peer has said that its stream ends, or closed; or is out of sight. */
  [[nodiscard]] bool peer_ends() const {
    return !here() || slot_->ends[1 - end_].flags.load(std::memory_order_relaxed) != 0;
  }
  /** As the peer says, nothing that was sent by the kernel lies there. */
  [[nodiscard]] bool all_taken() const {
    if (!here()) return false;
    // Seen once it stays true until more is sent so, and the peer's line is his with every receive.
    const std::uint64_t sent = slot_->directions[end_].sender.kernel_sent.load(std::memory_order_relaxed);
    if (all_taken_of_.load(std::memory_order_relaxed) == sent) return true;
    if (outbound().behind() != 0) return false;
    all_taken_of_.store(sent, std::memory_order_relaxed);
    return true;
  }
  /**
   * A send would take bytes now, as far as can be known without the kernel: it holds nothing of ours, and no send was
   * refused, or cut short, since the last that was not. False: only the kernel knows.
   */
  [[nodiscard]] bool takes_bytes() const {
    return here() && !has(kStaySending | kBroken | kRested) && !refused() &&
           native_sends_.load(std::memory_order_relaxed) == 0 && !peer_ends() && all_taken();
  }
  /** Says where this thread runs, to a peer that thinks of waiting; whether that ran there too when it waited last. */
  [[nodiscard]] bool beside_peer() const {
    if (!here()) return false;
    std::atomic<std::uint32_t>& mine = slot_->ends[end_].cpu;
    const std::uint32_t cpu = this_cpu() + 1;
    if (mine.load(std::memory_order_relaxed) != cpu) mine.store(cpu, std::memory_order_relaxed);
    return slot_->ends[1 - end_].cpu.load(std::memory_order_relaxed) == cpu;
  }
  /** What who waits for this connection wants to know of its peer, which is told where we run. */
  struct Neighbour {
    bool here;   // it ran on this processor when it waited last
    bool rings;  // whatever comes next may be waited for at the bell: see wait_at_bell()
  };
  [[nodiscard]] Neighbour neighbour() const {
    const bool here = beside_peer();
    return {here, on_rings() && marked_.load(std::memory_order_relaxed) == 0 && !peer_ends() && !has_unread()};
  }
  /** Whether who waits may sleep at the bell. */
  enum class AtBell {
    may,      // whatever comes from now on rings
    not_now,  // the kernel has, or is given now, what nobody rings for; it may be otherwise soon
    never,    // the peer does not ring
  };
  struct Announced {
    AtBell outcome;
    std::atomic<std::uint32_t>* bell = nullptr;
  };
  /** Before a last look at what the rings have. */
  [[nodiscard]] Announced wait_at_bell(Handle self);
  /** Both directions may go by rings. */
  [[nodiscard]] bool on_rings() const { return here() && !has(kStayReceiving | kStaySending | kBroken | kRested); }
  [[nodiscard]] bool refused() const { return refused_.load(std::memory_order_relaxed) != 0; }

  void said_shutdown();
  /** The program asks for the error, of which the kernel says `by_kernel`, or 0: what it is told. It is taken by that.
   */
  [[nodiscard]] int tell_error(int by_kernel);
  /** Bytes that came before what the kernel holds are out of reach of who has the socket now: he is told of a reset. */
  void was_reset();
  void read(sockdoc_socket_state& into);

 private:
  friend class Connections;
  class Return;
  static constexpr std::uint32_t kStayReceiving = 1;
  static constexpr std::uint32_t kStaySending = 2;
  static constexpr std::uint32_t kBroken = 4;  // the peer's words cannot be
  static constexpr std::uint32_t kRested = 8;
  static constexpr std::int32_t kNobody = -1;  // of a program that executed us: no process has the memory

  [[nodiscard]] abi::SlotHead& slot() const { return *slot_; }
  [[nodiscard]] ByteRing ring(unsigned direction) const;
  [[nodiscard]] StreamSender outbound(int fd = -1) const;
  [[nodiscard]] StreamReceiver inbound(int fd = -1) const;
  [[nodiscard]] bool has(std::uint32_t flag) const { return (flags_.load(std::memory_order_relaxed) & flag) != 0; }

  /** With the sender's role, after a send: the bell, where it is to be rung once the role is left. Else null. */
  [[nodiscard]] std::atomic<std::uint32_t>* bell_to_ring() {
    std::atomic<std::uint32_t>& bell = slot_->ends[1 - end_].bell;
    return bell.load() != 0 && bell.exchange(0) != 0 ? &bell : nullptr;
  }
  /** At once, also with a role: before what may take long, or for the last time. */
  void ring_peer() {
    if (std::atomic<std::uint32_t>* bell = bell_to_ring(); bell != nullptr) ring_bell(*bell);
  }
  [[nodiscard]] bool come_back(std::uint32_t own_reads);
  [[nodiscard]] bool may_cross(Handle socket);
  [[nodiscard]] bool take_over(SocketState& state, std::uint64_t word);
  void taken_over(Handle socket);
  [[nodiscard]] bool go_back(int fd, std::uint64_t deadline);
  Moved take(const Transfer& transfer, std::size_t skip);
  Moved throw_away(StreamReceiver& from, std::size_t bytes);
  Moved peek(StreamReceiver& from, const Transfer& transfer);
  [[nodiscard]] Result peek_all(const Transfer& transfer);
  Moved take_part(StreamReceiver& from, int flags, std::span<std::byte> into);
  void cancellation_point(int fd);
  void keep_error(int error);
  void keep_send_error(int error);
  [[nodiscard]] Result end_of_stream(bool begun);
  [[nodiscard]] static Result receive_again(const Transfer& transfer, std::uint32_t era, Native call);
  [[nodiscard]] static Result send_again(const Transfer& transfer, std::uint32_t era, Native call);
  [[nodiscard]] Result sleep(const Transfer& transfer, std::uint64_t self, bool begun, std::int64_t since_ms);
  [[nodiscard]] bool spin();
  [[nodiscard]] bool something_new() const;
  void let_batch_form(std::uint64_t start);
  enum class Wait { worth_it, in_vain, interrupted };  // the last by a signal handler
  Moved give(const Transfer& transfer, bool nested);
  /** The receiver, where he sleeps with others of his connections. */
  struct Sleeper {
    std::uint64_t tail = 0;                       // as it was before the look at his watch
    std::atomic<std::uint64_t>* watch = nullptr;  // null: he is not watched
    std::uint64_t state = 0;
    [[nodiscard]] bool is_awake() const { return watch != nullptr && (state & abi::Watch::kAsleep) == 0; }
    [[nodiscard]] bool is_asleep() const { return watch != nullptr && (state & abi::Watch::kAsleep) != 0; }
    [[nodiscard]] bool by_doorbell() const { return is_asleep() && (state & abi::Watch::kByDoorbell) != 0; }
  };
  [[nodiscard]] Sleeper sleeper(const StreamSender& to) const;
  void has_woken(StreamSender& to, Sleeper sleeper);
  class Ringing;
  [[nodiscard]] Wait wait_for_reader(const StreamSender& to, bool for_room);
  [[nodiscard]] bool caught_up(const StreamSender& to) const;
  void look_for_end(int fd);
  Wait prefer_ring(int fd, bool waits);
  [[nodiscard]] bool prove(const StreamSender& to);
  [[nodiscard]] Result finish_by_kernel(const Transfer& transfer, std::size_t sent, Native call);
  [[nodiscard]] int go_to_kernel(int fd);
  [[nodiscard]] bool receiver_has_ended(int fd);
  [[nodiscard]] int nap(int fd, bool begun, std::uint64_t started, unsigned naps) const;
  void broke();
  void now_and_then(const Transfer& transfer);
  [[nodiscard]] bool give_pages_back(std::uint64_t now_ms);
  [[nodiscard]] bool has_pages_now(StreamSender& to);
  void remember_pages();
  void no_more_woken_once(std::uint64_t self);
  [[nodiscard]] bool may_sleep_in_slices(const Transfer& transfer) const;
  [[nodiscard]] bool slept_in_slices(const Transfer& transfer, bool once, bool begun, Result& result);
  void report(abi::Reason reason);
  void give_back_options(int fd);
  void finish(int fd, bool last);
  [[nodiscard]] bool finished(int fd, bool last);
  [[nodiscard]] bool send_alone(bool at_once);
  void await_release();
  void keep_unread(std::span<const std::byte> bytes, int error);
  void await_thaw(int fd);
  [[nodiscard]] Result receive_unread(const Transfer& transfer);
  [[nodiscard]] Result receive_behind(const Transfer& transfer, std::size_t got, Native call);

  std::atomic<std::uint64_t> handle_{0};
  std::int32_t process_ = 0;
  std::int32_t inherited_by_ = 0;  // the program that found the bytes of one that executed it
  std::uint32_t end_ = 0;
  abi::SlotHead* slot_ = nullptr;
  std::byte* rings_ = nullptr;
  std::uint32_t ring_bytes_ = 0;
  std::atomic<std::uint32_t> flags_{0};
  MappedSlab* slab_ = nullptr;
  abi::Place place_ = {};
  std::uint64_t cookie_ = 0;

  // For who looks for pages to give back, with both roles.
  std::uint64_t carried_ = 0;     // by both rings, when last looked at
  std::uint64_t carried_ms_ = 0;  // when that was seen first
  std::uint32_t vain_looks_ = 0;
  std::uint64_t inbound_pages_since_ = 0;  // bytes ever taken from the ring when its pages last went

  // Sleeps to be woken once since the ring last carried: their count in ring_tail is small.
  std::uint64_t once_at_ = 0;
  std::uint32_t once_ = 0;

  UnreadBytes unread_;

  Role sending_;
  Role receiving_;
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic<std::uint32_t> marked_{0};          // we may have set kernel_wanted
  std::atomic<std::uint32_t> natively_{0};        // receiving: the ring is drained, and stays so
  std::atomic<std::uint32_t> native_sends_{0};    // calls of the program that send by themselves now
  std::atomic<std::uint32_t> sends_natively_{0};  // so did a process that forked us, for good: see before_fork()
  std::atomic<std::uint32_t> reason_{0};
  std::atomic<std::uint32_t> unreported_{0};  // a child on our memory sent it back: we tell the monitor
  std::atomic<std::uint32_t> not_returned_{0};
  std::uint32_t return_tries_ = 0;
  std::atomic<std::uint32_t> held_in_vain_{0};  // by the peer, for longer than he may
  std::atomic<std::uint32_t> reset_told_{0};    // once, as the kernel does
  std::atomic<std::uint32_t> refused_{0};       // the last send was, at least a part of it
  static constexpr std::uint64_t kNothingSeen = ~std::uint64_t{0};
  mutable std::atomic<std::uint64_t> all_taken_of_{0};  // what was sent by the kernel: see all_taken()
  std::atomic<std::uint32_t> has_woken_{0};             // the reader, who may get the rest by the ring
  std::atomic<std::uint32_t> misses_doorbell_{0};       // who sleeps has it, and we have not
  std::atomic<std::uint32_t> vain_spins_{0};
  std::atomic<std::uint32_t> quick_finds_{0};  // in a row, of little: see let_batch_form()
  std::atomic<std::uint32_t> sends_then_{0};
  std::atomic<std::uint64_t> head_then_{0};
  std::atomic<std::uint32_t> vain_waits_{0};
  std::atomic<std::uint32_t> slept_{0};  // the last receive that waited for the kernel had to
  std::atomic<std::uint32_t> calls_{0};
  std::atomic<std::uint32_t> sends_{0};
  std::atomic<std::uint64_t> looked_for_end_{0};  // of the peer, in ticks
  std::atomic<std::uint32_t> unproven_{0};        // how often what was sent has to be seen received: see prove()
  std::atomic<std::uint64_t> proved_at_{0};       // what was sent when it was seen last
  std::atomic<std::uint64_t> rest_until_{0};      // in ticks
  std::atomic<std::uint32_t> lent_{0};            // on the kernel because of a fork, and for no other reason
  std::atomic<std::uint32_t> long_reads_{0};      // under way: by the kernel alone while lent, or MSG_WAITALL
  std::atomic<std::uint64_t> in_doubt_ms_{0};     // since when it is not known whether the peer is alive

  std::atomic<std::uint64_t> granted_{0};  // the handle, while the memory is there but not in use
  std::atomic<std::uint64_t> unasked_{0};  // the handle, where the monitor was to be asked and did not listen yet
  std::atomic<std::uint32_t> crossing_{0};
  std::uint32_t tries_ = 0;
  std::atomic<std::uint32_t> run_{0};  // of the link to the monitor, which knows of it
};

/** A reset on both sides; what the kernel holds unread of it goes too. */
void reset_connection(int fd);

/** Null for a socket that never left the kernel: the common case, which costs two loads. */
[[nodiscard]] Connection* connection_of(Handle socket);

/** Now and then, without a role: whether the program has got an io_uring, for which all connections go back. */
void look_for_io_uring();

/** Looks whether the monitor has said something; cheap. Before sleeping, and now and then. */
void notice_messages();

}  // namespace sockdoc::preload
