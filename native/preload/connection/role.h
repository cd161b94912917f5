#pragma once

#include <atomic>
#include <cstdint>

#include "preload/thread.h"

namespace sockdoc::preload {

/**
 * Who of this process's threads sends, or receives, on a connection now. Held for a copy or a system call that does not
 * wait, never longer. A signal handler that interrupted the holder gets it too, `nested`: what the interrupted step
 * would commit then fails (ByteRing).
 */
class Role {
 public:
  enum class Taken { fresh, nested };

  Taken take() {
    const std::uint64_t holder = try_take_for(this_thread());
    if (holder == 0) [[likely]]
      return Taken::fresh;
    if (holder == this_thread()) return Taken::nested;
    return wait(this_thread());
  }
  /** True when nobody has it, not even an interrupted step of this thread; then leave(Taken::fresh). */
  [[nodiscard]] bool try_take() { return try_take_for(this_thread()) == 0; }
  [[nodiscard]] bool taken() const { return owner_.load(std::memory_order_acquire) != 0; }
  /** In a child, which has but one thread. */
  void begin_anew() { owner_.store(0, std::memory_order_relaxed); }
  void leave(Taken taken) {
    if (taken == Taken::fresh) owner_.store(0, std::memory_order_release);
  }

 private:
  /** Who has it; 0: `me` from now on. */
  std::uint64_t try_take_for(std::uint64_t me) {
    std::uint64_t holder = 0;
    if (one_thread()) {
      // A signal handler between the two has left it again when it returns.
      holder = owner_.load(std::memory_order_relaxed);
      if (holder == 0) owner_.store(me, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_acquire);
    } else {
      (void)owner_.compare_exchange_strong(holder, me, std::memory_order_acquire);
    }
    return holder;
  }

  Taken wait(std::uint64_t me) {
    // A holder that a signal handler left by longjmp() comes back to it or not; nobody waits for ever.
    constexpr std::uint64_t kPatience = 10'000;  // ms
    const std::uint64_t start = coarse_ms();
    std::uint64_t waited_for = owner_.load(std::memory_order_relaxed);
    for (unsigned looks = 1;; looks++) {
      std::uint64_t holder = 0;
      if (owner_.compare_exchange_strong(holder, me, std::memory_order_acquire)) return Taken::fresh;
      if (holder != waited_for) looks = 1;
      waited_for = holder;
      if (looks % 64 != 0) {
        __builtin_ia32_pause();
        continue;
      }
      raw(SYS_sched_yield);
      if (coarse_ms() - start > kPatience && owner_.compare_exchange_strong(holder, me)) return Taken::fresh;
    }
  }

  std::atomic<std::uint64_t> owner_{0};
};

/** Holds a role for a block. */
class Holding {
 public:
  explicit Holding(Role& role) : role_(role), taken_(role.take()) {}
  ~Holding() { role_.leave(taken_); }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;
  [[nodiscard]] bool nested() const { return taken_ == Role::Taken::nested; }

 private:
  Role& role_;
  Role::Taken taken_;
};

/** Holds a role for a block where it is free, and with signals blocked. */
class HoldingIfFree {
 public:
  explicit HoldingIfFree(Role& role) : role_(role), taken_(role.try_take()) {}
  ~HoldingIfFree() {
    if (taken_) role_.leave(Role::Taken::fresh);
  }
  HoldingIfFree(const HoldingIfFree&) = delete;
  HoldingIfFree& operator=(const HoldingIfFree&) = delete;
  explicit operator bool() const { return taken_; }

 private:
  SignalsBlocked blocked_;
  Role& role_;
  bool taken_;
};

}  // namespace sockdoc::preload
