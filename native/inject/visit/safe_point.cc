#include "inject/visit/safe_point.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>

#include "base/procfs.h"
#include "inject/visit/rest.h"

namespace sockdoc::inject {
namespace {

constexpr int kTurnMs = 50;  // how long a busy thread is led from call to call
constexpr int kStillMs = 3;  // a call that takes longer waits for something
constexpr std::int64_t kPause = 2'000'000;

/** Another thread is the better one: one that sleeps amid its bytes has its call cut short for a moment. */
constexpr int kBetterOnesMs = 100;

/** Locks that back off by sleeping, as allocators have them, sleep for less. */
constexpr std::int64_t kLongSleepNs = 100'000'000;

/** The loader and allocators read files; none of them reads sockets. */
bool is_socket(pid_t pid, std::uint64_t fd) {
  char buffer[64];
  const std::string path = process_folder(pid) + "/fd/" + std::to_string(static_cast<int>(fd));
  const auto target = read_link(AT_FDCWD, path.c_str(), buffer);
  return target && (target->starts_with("socket:[") || *target == "anon_inode:[eventpoll]");
}

/** A write to it is whole, whoever is stopped meanwhile. */
bool is_file(pid_t pid, std::uint64_t fd) {
  const std::string path = process_folder(pid) + "/fd/" + std::to_string(static_cast<int>(fd));
  struct statx info {};
  // What is known of it: some file systems would ask somebody.
  return ::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &info) == 0 && S_ISREG(info.stx_mode);
}

/** Of what the target's memory says, which may be anything. */
std::int64_t ns_of(const timespec& time) {
  constexpr std::int64_t kMostSeconds = 4'000'000'000;
  return std::clamp<std::int64_t>(time.tv_sec, 0, kMostSeconds) * 1'000'000'000 +
         std::clamp<std::int64_t>(time.tv_nsec, 0, 999'999'999);
}

struct Nap {
  clockid_t clock;
  bool absolute;
  std::uint64_t wanted, left;  // where the time is, and where the kernel writes what is left of it
};

/**
 * Long, and made again as it was: until a point in time, or where the kernel writes what is left over what was asked
 * for. Of others nobody knows how much is left once they have been broken off and another call has been made.
 */
bool sleeps_long(const Memory& memory, const Nap& nap) {
  const bool passes_for_all =
      nap.clock == CLOCK_REALTIME || nap.clock == CLOCK_MONOTONIC || nap.clock == CLOCK_BOOTTIME;
  const auto time = memory.value<timespec>(Address{nap.wanted});
  if (!time || !passes_for_all || (!nap.absolute && nap.wanted != nap.left)) return false;
  timespec now{};
  if (nap.absolute) ::clock_gettime(nap.clock, &now);
  return ns_of(*time) - ns_of(now) >= kLongSleepNs;
}

/** Waits for a signal, a child or the clock, where no loader or allocator does, and can be made again unseen. */
bool waits_idly(const Memory& memory, const SystemCall& call) {
  const auto& argument = call.arguments;
  switch (call.number) {
    case SYS_pause:
    case SYS_rt_sigsuspend:
    case SYS_wait4:
    case SYS_waitid:
      return true;
    case SYS_rt_sigtimedwait:  // how much is left of a limit nobody tells
      return argument[2] == 0;
    case SYS_nanosleep:
      return sleeps_long(memory, {CLOCK_MONOTONIC, false, argument[0], argument[1]});
    case SYS_clock_nanosleep:
      return sleeps_long(
          memory, {static_cast<clockid_t>(argument[0]), (argument[1] & TIMER_ABSTIME) != 0, argument[2], argument[3]});
    default:
      return false;
  }
}

bool is_safe(const Memory& memory, const SystemCall& call) {
  switch (call.number) {
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
      return true;
    case SYS_connect:  // made again it fails (EALREADY)
    case SYS_splice:
      return false;
    default:
      if (may_wait_in_hook(call.number)) return is_socket(memory.pid(), call.arguments[0]);
      return waits_idly(memory, call);
  }
}

/** On its stack, for a frame of ours: one that is cut short in vain is not to be stopped. */
bool has_room(const Memory& memory, const SystemCall& call) {
  constexpr std::size_t kFrame = 16 * 1024;
  return memory.has_stack(Address{call.stack}, kFrame);
}

/** At the end of a safe call, whether it was broken off or not; and no signal is on its way. */
bool stands_safely(const Memory& memory, const Thread& thread) {
  if (!arch::behind_system_call(memory, thread.registers) || thread.tracee.signal() != 0 || thread.call.signal)
    return false;
  const auto condition = thread.tracee.condition();
  if (condition != Tracee::Condition::interrupted && condition != Tracee::Condition::system_call) return false;
  return is_safe(memory, arch::call_in(thread.registers));
}

/** Broken off, it would be seen. */
bool is_to_be_whole(const Memory& memory, const SystemCall& call) {
  if (call.number == SYS_connect || call.number == SYS_splice) return true;
  return moves_parts(call) && !is_file(memory.pid(), call.arguments[0]);
}

/** One without a number, as hold_before() makes it for a moment, may be a reason for its filters to kill it. */
bool has_filters(pid_t pid, pid_t tid) {
  const auto facts = read_facts(thread_folder(pid, tid));
  return !facts || facts->seccomp != 0;
}

/** Where a safe call begins: it does not begin, and is made when the thread goes on. Kept alone, it begins anew. */
bool hold_before(Thread& thread, const Memory& memory, const arch::Registers& beginning, const Deadline& deadline) {
  if (!thread.tracee.set(arch::again(beginning))) return false;
  thread.tracee.resume_to_system_call();
  if (!thread.tracee.await_stop(deadline)) return false;
  if (thread.tracee.condition() != Tracee::Condition::system_call) return false;
  thread.registers = arch::not_begun(beginning);
  thread.call = broken_call(memory, thread.tracee, thread.registers);
  thread.waited_ms = 0;
  thread.secured = true;
  return !thread.call.signal;
}

/**
 * From the end of a call that is not safe, or from within the program's own code, to the end of one that is; or to the
 * beginning of one that a stop could break off in the middle. False: there is none, or one begins that may not be
 * stopped.
 */
bool lead_on(const Threads& threads, Thread& thread, const Memory& memory, const Deadline& deadline) {
  bool inside = false;
  for (;;) {
    if (!inside && stands_safely(memory, thread)) return true;
    if (deadline.passed()) return false;
    thread.tracee.resume_to_system_call();
    thread.secured = false;
    if (!thread.tracee.await_stop(deadline.no_later_than_ms(kStillMs))) {
      if (!inside) continue;
      // It waits; stopped, it is at the end of that call, whatever it was.
      thread.tracee.interrupt();
      if (!threads.await_told(thread, deadline)) return false;
    }
    const auto condition = thread.tracee.condition();
    if (condition == Tracee::Condition::system_call) {
      inside = !inside;
    } else if (condition == Tracee::Condition::interrupted) {
      inside = false;
    } else if (condition != Tracee::Condition::signal) {
      return false;
    }
    if (!inside && !examine(memory, thread)) return false;
    if (!inside || condition != Tracee::Condition::system_call) continue;
    const auto beginning = thread.tracee.registers();
    if (!beginning) return false;
    const SystemCall call = arch::call_in(*beginning);
    if (!is_to_be_whole(memory, call)) continue;
    if (!is_safe(memory, call)) return false;
    if (!has_filters(memory.pid(), thread.tracee.tid())) return hold_before(thread, memory, *beginning, deadline);
  }
}

}  // namespace

Thread* stop_at_safe_point(Threads& threads, const Memory& memory, const Deadline& deadline) {
  const Deadline better = Deadline::of_taking_back_in_ms(kBetterOnesMs);
  do {
    const bool any = threads.can_finish() || better.passed();
    std::vector<pid_t> busy;
    for (const pid_t tid : threads_of(memory.pid())) {
      SystemCall call;
      const Activity activity = look_at_call(memory, tid, call);
      if (activity == Activity::running) busy.push_back(tid);
      if (activity != Activity::sleeping || !is_safe(memory, call)) continue;
      if (moves_parts(call) && !(any && has_rest(memory, call) && has_room(memory, call))) continue;
      Thread* thread = threads.stop(tid, deadline);
      if (thread == nullptr) continue;
      if (stands_safely(memory, *thread)) return thread;
      threads.release(*thread);
    }
    for (const pid_t tid : busy) {
      if (deadline.passed()) break;
      const Deadline turn = deadline.no_later_than_ms(kTurnMs);
      Thread* thread = threads.stop(tid, turn);
      if (thread == nullptr) continue;
      if (lead_on(threads, *thread, memory, turn)) return thread;
      threads.release(*thread);
    }
    nap(kPause);
  } while (!deadline.passed() && !has_ended(memory.pid()));
  return nullptr;
}

}  // namespace sockdoc::inject
