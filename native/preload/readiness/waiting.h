#pragma once

#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>

#include "base/raw.h"
#include "preload/connection/bell.h"
#include "preload/connection/connection.h"
#include "preload/connection/idle_rings.h"
#include "preload/connection/spinning.h"
#include "preload/table/table.h"

/* What all waiting calls share: how long they spin, when they ask the kernel, and how signals and time pass meanwhile.
 */
namespace sockdoc::preload {

/** Cycles of the processor's clock, which costs no system call. */
[[nodiscard]] inline std::uint64_t ticks() { return __builtin_ia32_rdtsc(); }

[[nodiscard]] inline std::int64_t now_ns() {
  timespec now = {};
  raw(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

/** Whether it is worth looking into the rings for a while before sleeping. One for all waiting calls of the process. */
class SpinPolicy {
 public:
  /** On a processor of one's own the peer answers within so many microseconds, without a system call. */
  static constexpr std::uint64_t kAlone = 2;

  /**
   * In ticks; 0 after it has often been in vain, and kAlone while others want this processor. longest_spin_ticks
   * where waits that slept end within that.
   */
  [[nodiscard]] std::uint64_t limit(std::uint64_t now);
  /**
   * A yield took `took` ticks. Much longer than a peer works for an answer: others took their turn, which a thread that
   * sleeps and is woken need not wait for. So there is no yielding for many times as long.
   */
  void yielded(std::uint64_t now, std::uint64_t took);
  void ended(bool found) {
    if (!found) {
      in_vain_.fetch_add(1, std::memory_order_relaxed);
    } else if (in_vain_.load(std::memory_order_relaxed) != 0) {
      in_vain_.store(0, std::memory_order_relaxed);
    }
  }

  /** A wait looked in vain, slept, and something came so many ticks after it had begun. */
  void slept(std::uint64_t took);
  /** The peer shares our processor: it does nothing as long as we look. */
  void look_no_longer() {
    if (short_sleeps_.load(std::memory_order_relaxed) != 0) short_sleeps_.store(0, std::memory_order_relaxed);
    if (longer_.load(std::memory_order_relaxed) != 0) longer_.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kVainTries = 4;  // then one in so many sleeps is preceded by a spin
  static constexpr std::uint32_t kVainPeriod = 16;

  static constexpr std::uint64_t kLongYieldUs = 500;
  static constexpr std::uint64_t kPauses = 20;  // so at most a twentieth of the time is lost
  static constexpr std::uint32_t kMostShort = 8;

  std::atomic<std::uint32_t> in_vain_{0};
  std::atomic<std::uint32_t> short_sleeps_{0};  // lately
  std::atomic<std::uint32_t> longer_{0};
  std::atomic<std::uint64_t> no_yield_until_{0};
};

extern SpinPolicy spin_policy;

/**
 * Holds signals back while we spin, so that one that arrives then ends the kernel's call with EINTR, as it would end
 * the program's own: the call that sleeps gets mask() and lets it in. Two system calls.
 */
class SignalsHeld {
 public:
  SignalsHeld() = default;
  ~SignalsHeld() { release(); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

  void hold() {
    if (held_) return;
    const std::uint64_t all = ~std::uint64_t{0};
    held_ = raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, sizeof all) == 0;
  }
  void release() {
    if (!held_) return;
    held_ = false;
    raw(SYS_rt_sigprocmask, SIG_SETMASK, &before_, 0, sizeof before_[0]);
  }
  /** What the program had, or null while nothing is held. */
  [[nodiscard]] const sigset_t* mask() const { return held_ ? reinterpret_cast<const sigset_t*>(&before_) : nullptr; }

 private:
  // libc copies nothing of a mask, and the kernel reads its own 8 bytes of it.
  alignas(sigset_t) std::uint64_t before_[sizeof(sigset_t) / sizeof(std::uint64_t)] = {};
  bool held_ = false;
};

/** How much is left of a timeout. */
class Timeout {
 public:
  static Timeout never() { return Timeout(-1); }
  static Timeout ns(std::int64_t ns) { return Timeout(ns < 0 ? 0 : ns); }
  static Timeout ms(int ms) { return ms < 0 ? never() : ns(std::int64_t{ms} * 1'000'000); }
  /** Null is never; valid() says whether the kernel takes it. */
  static Timeout of(const timespec* time) {
    if (time == nullptr) return never();
    constexpr std::int64_t kLong = 4'000'000'000;  // seconds: longer than anybody waits
    return ns(time->tv_sec > kLong ? kLong * 1'000'000'000 : time->tv_sec * 1'000'000'000 + time->tv_nsec);
  }
  [[nodiscard]] static bool valid(const timespec& time) {
    return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < 1'000'000'000;
  }

  [[nodiscard]] bool longer_than(std::int64_t ns) const { return left_ < 0 || left_ > ns; }

  [[nodiscard]] bool endless() const { return left_ < 0; }
  [[nodiscard]] bool zero() const { return left_ == 0; }
  /** From the first call of this on, time counts. */
  void pass() {
    if (left_ <= 0) return;
    const std::int64_t now = now_ns();
    if (deadline_ == 0) deadline_ = now + left_;
    left_ = deadline_ > now ? deadline_ - now : 0;
  }
  [[nodiscard]] int in_ms() const {
    if (left_ < 0) return -1;
    const std::int64_t ms = left_ / 1'000'000 + (left_ % 1'000'000 != 0 ? 1 : 0);
    return ms > 0x7fffffff ? 0x7fffffff : static_cast<int>(ms);
  }
  /** Null while endless. */
  [[nodiscard]] const timespec* in(timespec& into) const {
    if (left_ < 0) return nullptr;
    into = {left_ / 1'000'000'000, left_ % 1'000'000'000};
    return &into;
  }

 private:
  explicit Timeout(std::int64_t left) : left_(left) {}

  std::int64_t left_;
  std::int64_t deadline_ = 0;
};

/**
 * How to let a peer on the same processor work. sched_yield(2) does it in the fewest steps, unless the scheduler
 * prefers us: it gives each task group (session, cgroup) as much time, so that who works less than its peer for a
 * message gets the processor back until it has wasted the difference. Then a sleep is cheaper: at the bells, from which
 * the peer's next send wakes. One for all waiting calls of the process.
 */
class BellPolicy {
 public:
  /** Ticks that a sleep at a bell costs both ends, about. */
  static constexpr std::uint32_t kCost = 2 * kTicksPerUs;
  /** While bells are preferred, one in so many waits tries to yield. */
  static constexpr std::uint32_t kTrials = 256;

  /** For a wait that begins. */
  [[nodiscard]] bool bells() {
    if (!preferred()) return false;
    const std::uint32_t waits = waits_.load(std::memory_order_relaxed) + 1;
    waits_.store(waits, std::memory_order_relaxed);
    return waits % kTrials != 0;
  }
  /** A wait by yields wasted so many ticks. */
  void yielded(std::uint64_t wasted);
  /** The kernel knows no wait at several. */
  void no_several() { several_.store(false, std::memory_order_relaxed); }
  [[nodiscard]] bool several() const { return several_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] bool preferred() const { return wasted_.load(std::memory_order_relaxed) > kCost; }

  std::atomic<std::uint32_t> wasted_{0};  // in ticks, of the last waits that yielded
  std::atomic<std::uint32_t> waits_{0};
  std::atomic<bool> several_{true};
};

extern BellPolicy bell_policy;

/** Those whose bytes a call waits for. They are told where we run. */
class Peers {
 public:
  /** `bells`: whether to wait at theirs is thought of. */
  explicit Peers(bool bells) : bells_(bells) {}
  void add(Handle socket);
  /** Something else is waited for, of which no bell tells. */
  void add_others() { bells_ = false; }
  /** No more has to be added. */
  [[nodiscard]] bool enough() const { return !bells_ && (beside_ || looked_at_ >= kMostLookedAt); }
  /** Whether one of them ran on this very processor when it waited last. */
  [[nodiscard]] bool beside() const { return beside_; }
  /** Whether they can be waited for at their bells, as far as is known. */
  [[nodiscard]] bool have_bells() const { return bells_ && looked_at_ > 0; }
  /** Before a last look: from now on the bells ring, where all of them may be waited at. */
  [[nodiscard]] Connection::AtBell announce();
  /** Until one of them sends, or `ns` have passed. */
  void await(std::int64_t ns);

 private:
  static constexpr unsigned kMostLookedAt = 4;  // who waits for many is seldom alone with one
  static constexpr unsigned kMostBells = 16;

  Handle sockets_[kMostBells];
  BellToWaitAt words_[kMostBells];
  unsigned looked_at_ = 0;
  bool bells_;
  bool beside_ = false;
};

/** Makes the thread wait a moment between two looks. */
class Spin {
 public:
  /** `timeout`: of the call; time counts from the first wait at bells on, if not before. */
  explicit Spin(Timeout& timeout)
      : timeout_(timeout),
        begun_(ticks()),
        limit_(spin_policy.limit(begun_)),
        peers_(timeout.longer_than(kAtBellsNs) && (crowded() || bell_policy.bells())) {}

  [[nodiscard]] bool worth_it() const { return limit_ != 0; }
  /**
   * After a moment; false when it is enough. Signals are held back before it is a long one: see SignalsHeld.
   * `visit(Peers&)` adds what is waited for, once.
   */
  template <typename Visit>
  [[nodiscard]] bool go_on(SignalsHeld& signals, Visit visit) {
    now_ = ticks();
    const std::uint64_t passed = now_ - begun_;
    if ((passed > limit_ && how_ != How::is_at_bells) || how_ == How::done) return false;
    if (!visited_) {
      visited_ = true;
      visit(peers_);
      if (peers_.beside() && (!crowded() || peers_.have_bells())) share_processor();
    }
    // A peer on another processor answers within the first moments; one that shares ours has to be let run.
    if (passed < alone_) {
      __builtin_ia32_pause();
    } else {
      signals.hold();
      give_way();
    }
    return true;
  }
  /** After the last look. */
  void ended(bool found) {
    spin_policy.ended(found);
    if (how_ == How::done) timeout_.pass();
    if (how_ == How::yields_to_peer && yielded_ != 0) bell_policy.yielded(yielded_ - begun_ - others_);
  }
  /** After the sleep that followed, where something came. */
  void slept() const {
    if (limit_ != 0 && visited_ && !peers_.beside()) spin_policy.slept(ticks() - begun_);
  }
  [[nodiscard]] std::uint64_t begun() const { return begun_; }
  [[nodiscard]] std::uint64_t now() const { return now_; }

 private:
  /**
   * So long that the next tick of the clock comes before: a nearer end would have the clock set, twice a wait, which
   * takes microseconds where it is a virtual machine's.
   */
  static constexpr std::int64_t kAtBellsNs = 10'000'000;

  enum class How { yields, yields_to_peer, comes_to_bells, is_at_bells, done };

  [[nodiscard]] bool crowded() const { return limit_ <= SpinPolicy::kAlone * kTicksPerUs; }
  void share_processor();
  void give_way();
  [[nodiscard]] How come_to_bells();
  void yield();

  Timeout& timeout_;
  std::uint64_t begun_;
  std::uint64_t limit_;
  std::uint64_t now_ = 0;
  std::uint64_t alone_ = SpinPolicy::kAlone * kTicksPerUs;
  std::uint64_t yielded_ = 0;  // when it was over
  std::uint64_t others_ = 0;   // ticks in which they ran
  Peers peers_;
  How how_ = How::yields;
  bool visited_ = false;
};

/**
 * A call that waits, while rings hold pages: in slices, and between them pages of idle rings are given back. `wait` is
 * the call with another timeout; what it returns is 0 when nothing came.
 */
template <typename Wait>
inline int wait_in_slices(Timeout& timeout, Wait wait) {
  constexpr std::int64_t kMillisecond = 1'000'000;
  bool more = false;
  idle_rings.sweep_at_times();
  for (;;) {
    const std::int64_t most = more ? kMillisecond : IdleRings::kSliceMs * kMillisecond;
    const bool whole = !idle_rings.any() || !timeout.longer_than(most);
    if (!whole) timeout.pass();
    const int result = wait(whole ? timeout : Timeout::ns(most));
    if (result == 0 && idle_rings.any()) more = idle_rings.sweep(kSweptWhileWaiting);
    if (result != 0 || whole) return result;
    timeout.pass();
    if (timeout.zero()) return result;
  }
}

/** So that nothing starves that only the kernel knows of, it is asked this often while rings keep us busy. */
class KernelTurn {
 public:
  /** With room for few events a call serves few: then the kernel's turn comes sooner. */
  static constexpr std::uint32_t kCalls = 64;
  static constexpr std::uint32_t kCallsPerEvent = 4;
  static constexpr std::uint64_t kMicroseconds = 20;
  static constexpr std::uint64_t kMostMicroseconds = 200;

  KernelTurn(std::atomic<std::uint64_t>& asked, std::atomic<std::uint32_t>& calls, unsigned room)
      : asked_(asked), calls_(calls), most_(room < kCalls / kCallsPerEvent ? room * kCallsPerEvent : kCalls) {}

  [[nodiscard]] bool due(std::uint64_t now) const {
    return calls_.load(std::memory_order_relaxed) >= most_ ||
           static_cast<std::int64_t>(now - asked_.load(std::memory_order_relaxed)) >
               static_cast<std::int64_t>(kMicroseconds * kTicksPerUs);
  }
  void count() { calls_.store(calls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void taken(std::uint64_t now) {
    asked_.store(now, std::memory_order_relaxed);
    calls_.store(0, std::memory_order_relaxed);
  }
  /** After a turn that ended `now`: one that took long, since much had to be settled, is followed by a longer pause. */
  void ended(std::uint64_t now) {
    constexpr std::uint64_t kShare = 8;  // of the time, at most, is spent on turns
    constexpr std::uint64_t kLongest = kMostMicroseconds * kTicksPerUs / kShare;
    const std::uint64_t took = now - asked_.load(std::memory_order_relaxed);
    const std::uint64_t pause = (took < kLongest ? took : kLongest) * kShare;
    if (pause > kMicroseconds * kTicksPerUs) {
      asked_.store(now + pause - kMicroseconds * kTicksPerUs, std::memory_order_relaxed);
    }
  }

 private:
  std::atomic<std::uint64_t>& asked_;
  std::atomic<std::uint32_t>& calls_;
  std::uint32_t most_;
};

}  // namespace sockdoc::preload
