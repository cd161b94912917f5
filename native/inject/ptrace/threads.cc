#include "inject/ptrace/threads.h"

#include <unistd.h>

#include <cerrno>

namespace sockdoc::inject {
namespace {

// One that was told to stop will, once it gets a processor; but for one that cannot be interrupted, as in vfork().
constexpr int kPatienceMs = 1000;
constexpr int kLongestPatienceMs = 10'000;

}  // namespace

bool examine(const Memory& memory, Thread& thread) {
  const auto registers = thread.tracee.registers();
  if (!registers) return false;
  thread.registers = *registers;
  thread.call = broken_call(memory, thread.tracee, thread.registers);
  thread.waited_ms = thread.call.broken() ? waited_ms(thread.sleep, read_sleep(memory.pid(), thread.tracee.tid())) : 0;
  return true;
}

Thread* Threads::seize(pid_t tid) {
  const auto known = threads_.find(tid);
  if (known != threads_.end()) return known->second.get();
  auto thread = std::make_unique<Thread>(tid);
  SystemCall call;
  if (look_at_call(memory_, tid, call) == Activity::sleeping && may_wait_in_hook(call.number)) {
    thread->sleep = read_sleep(memory_.pid(), tid);
    thread->untold = moves_parts(call);
    if (thread->untold && !can_be_mended(memory_, call)) return nullptr;
  }
  const int error = thread->tracee.seize();
  if (error == EPERM) {
    // Ours already when its maker was.
    const auto facts = read_facts(thread_folder(memory_.pid(), tid));
    if (!facts || facts->tracer != ::getpid()) return nullptr;
    thread->tracee.is_seized();
  } else if (error != 0) {
    return nullptr;
  }
  return threads_.emplace(tid, std::move(thread)).first->second.get();
}

Thread* Threads::stop(pid_t tid, const Deadline& deadline) {
  Thread* thread = seize(tid);
  if (thread == nullptr) return nullptr;
  thread->untold = false;
  thread->tracee.interrupt();
  if (await_told(*thread, deadline) && thread->tracee.condition() != Tracee::Condition::ended && secure(*thread))
    return thread;
  release(*thread);
  return nullptr;
}

/** True when there was one that we did not have. Only then are they stopped: until all are seized, they run. */
bool Threads::seize_new() {
  bool found = false;
  std::vector<Thread*> fresh;
  for (const pid_t tid : threads_of(memory_.pid())) {
    if (threads_.count(tid) != 0) continue;
    Thread* thread = seize(tid);
    if (thread == nullptr) {
      const auto facts = read_facts(thread_folder(memory_.pid(), tid));
      if (!facts || facts->state == 'Z' || facts->state == 'X') continue;
    } else {
      fresh.push_back(thread);
    }
    found = true;
  }
  for (Thread* thread : fresh) {
    if (!thread->untold) thread->tracee.interrupt();
  }
  return found;
}

/** True when there was one. */
bool Threads::tell_next() {
  for (const auto& [tid, thread] : threads_) {
    if (!std::exchange(thread->untold, false)) continue;
    thread->tracee.interrupt();
    return true;
  }
  return false;
}

void Threads::look(Thread& thread) {
  if (thread.tracee.condition() != Tracee::Condition::running) return;
  const auto condition = thread.tracee.look();
  if (thread.tracee.stopped()) secure(thread);
  if (condition != Tracee::Condition::event) return;
  const pid_t made = thread.tracee.made();
  if (made <= 0 || threads_.count(made) != 0) return;
  auto child = std::make_unique<Thread>(made);
  child->tracee.is_seized();
  threads_.emplace(made, std::move(child));
}

bool Threads::all_stopped() {
  bool all = true;
  std::vector<Thread*> now;
  for (const auto& [tid, thread] : threads_) now.push_back(thread.get());
  for (Thread* thread : now) {
    look(*thread);
    all &= thread->untold || thread->tracee.condition() != Tracee::Condition::running;
  }
  return all && now.size() == threads_.size();
}

Refused Threads::stop_all(const Deadline& deadline) {
  for (int round = 0;;) {
    const bool found = seize_new();
    if (auto refusal = memory_.stalled()) return refusal;
    while (!all_stopped() || tell_next()) {
      if (deadline.passed())
        return Refusal{"timeout", "Its threads did not all stop in time.", "Try again, or with a longer --timeout-ms."};
      await_news(deadline);
    }
    round = found ? 0 : round + 1;
    if (round > 0) break;
    if (deadline.passed())
      return Refusal{"timeout", "It makes threads faster than they can be stopped.", "Try again later."};
  }
  for (const auto& [tid, thread] : threads_) {
    const auto condition = thread->tracee.condition();
    if (condition == Tracee::Condition::executed) return Refusal{"gone", "It has executed another program.", ""};
    if (condition == Tracee::Condition::group_stopped) {
      return Refusal{"stopped", "It was stopped, by SIGSTOP or a terminal.", "Let it go on first."};
    }
    if (condition != Tracee::Condition::ended && !thread->secured && !thread->settled) return gone();
  }
  return std::nullopt;
}

std::optional<arch::Registers> Threads::resumption(const Thread& thread) const {
  const BrokenCall& call = thread.call;
  if (call.way == BrokenCall::Way::partly && pending_) {
    const Address back{thread.registers.rip};
    return arch::redirected(thread.registers, *pending_, back, call.done, thread.waited_ms).by_kernel;
  }
  return mended(call, thread.registers, thread.waited_ms);
}

/** At once, since we may be killed at any time. What it was at the stop is kept. */
bool Threads::secure(Thread& thread) {
  if (!examine(memory_, thread)) return false;
  const auto registers = resumption(thread);
  thread.secured = !registers || thread.tracee.set(*registers);
  return thread.secured;
}

bool Threads::cannot_stop(const Thread& thread) const {
  const auto facts = read_facts(thread_folder(memory_.pid(), thread.tracee.tid()));
  return facts && facts->state == 'D';
}

bool Threads::await_told(Thread& thread, const Deadline& deadline) const {
  return thread.tracee.await_stop(deadline) || await(thread, Deadline::of_taking_back_in_ms(kPatienceMs));
}

/** `patience` is for one that cannot stop. */
bool Threads::await(Thread& thread, const Deadline& patience) const {
  const Deadline longest = Deadline::of_taking_back_in_ms(kLongestPatienceMs);
  while (thread.tracee.look() == Tracee::Condition::running) {
    if (longest.passed() || (patience.passed() && cannot_stop(thread))) return false;
    await_news(longest);
  }
  return true;
}

/**
 * One that is let go where a call begins would make it with a signal pending that there is not: epoll_wait() and
 * semop() would give EINTR, a write a part. So it is taken back to before. Of a call without a number its filters may
 * make an end: there it is told to stop within the call, which is mended.
 */
void Threads::step_back(Thread& thread, const Deadline& patience) const {
  const Tracee& tracee = thread.tracee;
  const bool at_call = !thread.settled && tracee.condition() == Tracee::Condition::system_call;
  const auto now = at_call ? tracee.registers() : std::nullopt;
  if (!now || !arch::may_begin(*now)) return;
  const auto facts = read_facts(thread_folder(memory_.pid(), tracee.tid()));
  const bool filters = !facts || facts->seccomp != 0;
  if (filters) tracee.interrupt();
  if (!filters && !tracee.set(arch::again(*now))) return;
  thread.secured = false;
  thread.tracee.resume_to_system_call();
  (void)await(thread, patience);
}

void Threads::release(Thread& thread) { release(thread, Deadline::of_taking_back_in_ms(kPatienceMs)); }

void Threads::release(Thread& thread, const Deadline& patience) {
  Tracee& tracee = thread.tracee;
  if (tracee.condition() == Tracee::Condition::running) {
    tracee.interrupt();
    (void)await(thread, patience);
  }
  step_back(thread, patience);
  if (tracee.stopped() && !thread.settled && !thread.secured) secure(thread);
  const bool short_of_bytes = thread.call.way == BrokenCall::Way::partly && !thread.call.signal && !pending_;
  if (tracee.stopped() && !thread.settled && short_of_bytes && finish_alone_) finish_alone_(thread);
  tracee.release();
  threads_.erase(tracee.tid());
}

std::vector<Thread*> Threads::those(bool running) const {
  std::vector<Thread*> found;
  for (const auto& [tid, thread] : threads_) {
    if ((thread->tracee.condition() == Tracee::Condition::running) == running) found.push_back(thread.get());
  }
  return found;
}

void Threads::release_others(const Thread& host) {
  // None of them waits for those who do not come.
  for (Thread* thread : those(false)) {
    if (thread != &host) release(*thread);
  }
  for (Thread* thread : those(true)) {
    if (thread != &host && !cannot_stop(*thread)) release(*thread);
  }
}

void Threads::release() {
  for (Thread* thread : those(false)) release(*thread);
  const Deadline patience = Deadline::of_taking_back_in_ms(kPatienceMs);
  while (!threads_.empty()) release(*threads_.begin()->second, patience);
}

}  // namespace sockdoc::inject
