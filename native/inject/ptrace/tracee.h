#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "inject/arch/x86_64.h"
#include "inject/deadline.h"

namespace sockdoc::inject {

/**
 * Sleeps until the kernel has something to tell of a thread that we trace, or for a few milliseconds: a condition is to
 * be looked at before and after. Not by looking again and again: on a busy machine the processor would be away from us
 * longer than the thread takes.
 */
void await_news(const Deadline& deadline);

/**
 * A thread that we trace, by PTRACE_SEIZE: nothing of it changes by that alone. When we end, however we end, the kernel
 * lets it go on as its registers are then.
 */
class Tracee {
 public:
  enum class Condition {
    running,
    interrupted,    // by interrupt(), or a new thread before its first instruction
    system_call,    // at the beginning or the end of one, see resume_to_system_call()
    signal,         // before a signal is delivered
    event,          // within clone(2)
    group_stopped,  // SIGSTOP or a terminal stopped the process
    executed,       // another program is in its place
    ended
  };

  explicit Tracee(pid_t tid) : tid_(tid) {}
  Tracee(Tracee&& other) noexcept;
  Tracee& operator=(Tracee&&) = delete;
  ~Tracee() { release(); }

  [[nodiscard]] pid_t tid() const { return tid_; }
  [[nodiscard]] Condition condition() const { return condition_; }
  [[nodiscard]] bool stopped() const { return condition_ != Condition::running && condition_ != Condition::ended; }
  [[nodiscard]] int signal() const { return signal_; }
  /** A fault that is ours, not the program's. */
  void drop_signal() { signal_ = 0; }
  /** The thread that it has just made, when its condition is `event`. */
  [[nodiscard]] pid_t made() const { return made_; }

  /** 0 or an errno value: ESRCH and EPERM also of a thread that is ending. */
  int seize();
  /** One that the kernel has seized for us, since its maker was. */
  void is_seized() { seized_ = true; }
  void interrupt() const;

  /** Looks whether it has stopped or ended. */
  Condition look();
  /** Until it has. False when the deadline passed. */
  bool await_stop(const Deadline& deadline);

  void resume();
  /** Stops again where its next system call begins or ends. */
  void resume_to_system_call();
  /** Goes on untraced, with the signal that it was stopped before, if there is one. */
  void release();

  [[nodiscard]] std::optional<arch::Registers> registers() const;
  [[nodiscard]] bool set(const arch::Registers& registers) const;
  [[nodiscard]] std::optional<arch::Context> context(const arch::Registers& registers) const;
  /** Everything that context() gave. */
  [[nodiscard]] bool restore(const arch::Context& context) const;
  [[nodiscard]] bool block(std::uint64_t signals) const;

 private:
  void take(int status);
  void go_on(int request);

  pid_t tid_;
  Condition condition_ = Condition::running;
  int signal_ = 0;
  pid_t made_ = 0;
  bool seized_ = false;
};

}  // namespace sockdoc::inject
