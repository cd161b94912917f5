#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "inject/ptrace/broken_call.h"
#include "inject/ptrace/tracee.h"
#include "inject/refusal.h"

namespace sockdoc::inject {

/** A thread that is stopped, and how it goes on. */
struct Thread {
  explicit Thread(pid_t tid) : tracee(tid) {}
  Tracee tracee;
  std::optional<Sleep> sleep;   // before it was stopped
  arch::Registers registers{};  // at the stop
  BrokenCall call;
  std::uint32_t waited_ms = 0;
  bool untold = false;   // to be told to stop when all others stand: what that cuts short is seen if we end before
  bool secured = false;  // it would go on as if it had not been stopped, were we to end now
  bool settled = false;  // it goes on elsewhere: its registers are not ours to mend any more
};

/**
 * The threads of a process that we trace. What is not settled when they are released goes on as it was: calls that our
 * stop broke off are mended.
 */
class Threads {
 public:
  explicit Threads(const Memory& memory) : memory_(memory) {}
  ~Threads() { release(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  /** One thread, stopped. Null when it ended or did not stop in time. */
  Thread* stop(pid_t tid, const Deadline& deadline);

  /** One that was told to stop, also past the deadline: what that has broken off is ours to mend. */
  [[nodiscard]] bool await_told(Thread& thread, const Deadline& deadline) const;

  /** All, and those that they make meanwhile. Who sleeps amid a transfer is told last, and each alone. */
  Refused stop_all(const Deadline& deadline);

  /** From now on what a stop cut short can be finished: by libsd. */
  void finish_by(const arch::Pending& pending) { pending_ = pending; }
  [[nodiscard]] bool can_finish() const { return pending_.has_value(); }
  /** Until then by this, once such a thread is released that is not settled. */
  void finish_alone_by(std::function<void(Thread&)> finish) { finish_alone_ = std::move(finish); }
  /** How a stopped thread goes on as if it had not been stopped; nothing where it does so by itself. */
  [[nodiscard]] std::optional<arch::Registers> resumption(const Thread& thread) const;

  /** Whoever was told to stop and has not is waited for: left before, it goes on with a call that was broken off. */
  void release(Thread& thread);
  void release();
  /** All but this one, and those that wait where nothing can stop them. */
  void release_others(const Thread& host);

  [[nodiscard]] const std::map<pid_t, std::unique_ptr<Thread>>& all() const { return threads_; }

 private:
  Thread* seize(pid_t tid);
  bool seize_new();
  void look(Thread& thread);
  bool secure(Thread& thread);
  bool all_stopped();
  bool tell_next();
  [[nodiscard]] bool await(Thread& thread, const Deadline& patience) const;
  void release(Thread& thread, const Deadline& patience);
  void step_back(Thread& thread, const Deadline& patience) const;
  [[nodiscard]] bool cannot_stop(const Thread& thread) const;
  [[nodiscard]] std::vector<Thread*> those(bool running) const;

  Memory memory_;
  std::optional<arch::Pending> pending_;
  std::function<void(Thread&)> finish_alone_;
  std::map<pid_t, std::unique_ptr<Thread>> threads_;
};

/** What the stop of a thread has broken off; fills `registers`, `call` and `waited_ms`. False when it cannot be read.
 */
bool examine(const Memory& memory, Thread& thread);

}  // namespace sockdoc::inject
