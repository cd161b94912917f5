#include "inject/ptrace/tracee.h"

#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sockdoc::inject {
namespace {

constexpr std::size_t kMostVectors = 16384;
constexpr int kSystemCallStop = SIGTRAP | 0x80;

long trace(int request, pid_t tid, std::uintptr_t address, std::uintptr_t data) {
  return ::ptrace(static_cast<__ptrace_request>(request), tid, reinterpret_cast<void*>(address),
                  reinterpret_cast<void*>(data));
}

/**
 * By which the kernel tells of threads that we trace. Blocked, it stays until it is waited for: what comes between a
 * look and the sleep ends the sleep at once. So before the first thread is traced.
 */
const sigset_t& news() {
  static const sigset_t signals = [] {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return set;
  }();
  return signals;
}

}  // namespace

void await_news(const Deadline& deadline) {
  constexpr std::int64_t kMost = 5'000'000;
  const std::int64_t ns = std::min(kMost, deadline.left_ns());
  if (ns <= 0) return;
  const timespec time{0, ns};
  ::sigtimedwait(&news(), nullptr, &time);
}

Tracee::Tracee(Tracee&& other) noexcept
    : tid_(other.tid_),
      condition_(other.condition_),
      signal_(other.signal_),
      made_(other.made_),
      seized_(std::exchange(other.seized_, false)) {}

int Tracee::seize() {
  (void)news();
  constexpr std::uintptr_t kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  if (trace(PTRACE_SEIZE, tid_, 0, kOptions) != 0) return errno;
  seized_ = true;
  return 0;
}

void Tracee::interrupt() const { trace(PTRACE_INTERRUPT, tid_, 0, 0); }

void Tracee::take(int status) {
  signal_ = 0;
  if (!WIFSTOPPED(status)) {
    condition_ = Condition::ended;
    seized_ = false;
    return;
  }
  const int event = status >> 16;
  const int stop = WSTOPSIG(status);
  if (event == PTRACE_EVENT_STOP) {
    condition_ = stop == SIGTRAP ? Condition::interrupted : Condition::group_stopped;
  } else if (event == PTRACE_EVENT_CLONE) {
    unsigned long tid = 0;
    trace(PTRACE_GETEVENTMSG, tid_, 0, reinterpret_cast<std::uintptr_t>(&tid));
    made_ = static_cast<pid_t>(tid);
    condition_ = Condition::event;
  } else if (event == PTRACE_EVENT_EXEC) {
    condition_ = Condition::executed;
  } else if (stop == kSystemCallStop) {
    condition_ = Condition::system_call;
  } else {
    condition_ = Condition::signal;
    signal_ = stop;
  }
}

Tracee::Condition Tracee::look() {
  if (condition_ != Condition::running) return condition_;
  int status = 0;
  const pid_t got = ::waitpid(tid_, &status, __WALL | WNOHANG);
  if (got == tid_) take(status);
  if (got < 0 && errno == ECHILD) {
    condition_ = Condition::ended;
    seized_ = false;
  }
  return condition_;
}

bool Tracee::await_stop(const Deadline& deadline) {
  while (look() == Condition::running) {
    if (deadline.passed()) return false;
    await_news(deadline);
  }
  return true;
}

void Tracee::go_on(int request) {
  if (!stopped()) return;
  condition_ = Condition::running;
  if (trace(request, tid_, 0, static_cast<std::uintptr_t>(std::exchange(signal_, 0))) != 0 && errno == ESRCH) look();
}

void Tracee::resume() { go_on(PTRACE_CONT); }

void Tracee::resume_to_system_call() { go_on(PTRACE_SYSCALL); }

void Tracee::release() {
  if (!seized_) return;
  seized_ = false;
  // Only one that is stopped can be let go. Of the others the kernel lets go when we end.
  if (!stopped()) return;
  trace(PTRACE_DETACH, tid_, 0, static_cast<std::uintptr_t>(std::exchange(signal_, 0)));
  condition_ = Condition::running;
}

std::optional<arch::Registers> Tracee::registers() const {
  arch::Registers registers{};
  iovec part{&registers, sizeof registers};
  if (trace(PTRACE_GETREGSET, tid_, NT_PRSTATUS, reinterpret_cast<std::uintptr_t>(&part)) != 0) return std::nullopt;
  if (part.iov_len != sizeof registers) return std::nullopt;  // a thread of 32 bits
  return registers;
}

bool Tracee::set(const arch::Registers& registers) const {
  iovec part{const_cast<arch::Registers*>(&registers), sizeof registers};
  return trace(PTRACE_SETREGSET, tid_, NT_PRSTATUS, reinterpret_cast<std::uintptr_t>(&part)) == 0;
}

std::optional<arch::Context> Tracee::context(const arch::Registers& registers) const {
  arch::Context context;
  context.registers = registers;
  context.vectors.resize(kMostVectors);
  iovec part{context.vectors.data(), context.vectors.size()};
  if (trace(PTRACE_GETREGSET, tid_, NT_X86_XSTATE, reinterpret_cast<std::uintptr_t>(&part)) != 0) return std::nullopt;
  context.vectors.resize(part.iov_len);
  constexpr std::uintptr_t kSize = sizeof context.mask;
  if (trace(PTRACE_GETSIGMASK, tid_, kSize, reinterpret_cast<std::uintptr_t>(&context.mask)) != 0) return std::nullopt;
  return context;
}

bool Tracee::restore(const arch::Context& context) const {
  iovec part{const_cast<std::uint8_t*>(context.vectors.data()), context.vectors.size()};
  return set(context.registers) &&
         trace(PTRACE_SETREGSET, tid_, NT_X86_XSTATE, reinterpret_cast<std::uintptr_t>(&part)) == 0 &&
         block(context.mask);
}

bool Tracee::block(std::uint64_t signals) const {
  return trace(PTRACE_SETSIGMASK, tid_, sizeof signals, reinterpret_cast<std::uintptr_t>(&signals)) == 0;
}

}  // namespace sockdoc::inject
