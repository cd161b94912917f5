#include "inject/visit/safe_point.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <map>

#include "base/procfs.h"
#include "inject/visit/rest.h"

namespace sockdoc::inject {
namespace {

constexpr int kTurnMs = 50;  // how long a busy thread is led from call to call
constexpr int kStillMs = 3;  // a call that takes longer waits for something
constexpr std::int64_t kPause = 2'000'000;

/** Another thread is the better one: one that sleeps amid its bytes has its call cut short for a moment. */
constexpr int kBetterOnesMs = 100;

constexpr long kWaitForSeveralWords = 449;  // futex_waitv, of Linux 5.16

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

struct Target {
  const Memory& memory;
  const EntryPoints& libc;
  const std::optional<Image>& libsd;
};

/** libsd sleeps so for nothing but sends of peers, 10 ms at most; it has no locks that do. */
bool waits_at_bell(const Target& target, const SystemCall& call) {
  return target.libsd && target.libsd->holds(Address{call.at});
}

bool is_safe(const Target& target, const SystemCall& call) {
  const Memory& memory = target.memory;
  switch (call.number) {
    case SYS_futex:
    case kWaitForSeveralWords:
      return waits_at_bell(target, call);
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
bool stands_safely(const Target& target, const Thread& thread) {
  if (!arch::behind_system_call(target.memory, thread.registers) || thread.tracee.signal() != 0 || thread.call.signal)
    return false;
  const auto condition = thread.tracee.condition();
  if (condition != Tracee::Condition::interrupted && condition != Tracee::Condition::system_call) return false;
  return is_safe(target, arch::call_in(thread.registers));
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

/** Cut short, with nobody there who would go on with it. */
bool is_short(const Threads& threads, const Thread& thread) {
  return thread.call.way == BrokenCall::Way::partly && !thread.call.signal && !threads.can_finish();
}

/** At the end of a call that nobody has told to stop: what it gave is what it was to give. */
void take_as_whole(Thread& thread) {
  if (thread.call.way != BrokenCall::Way::partly) return;
  thread.call = BrokenCall{};
  thread.secured = true;
}

/**
 * From the end of a call that is not safe, or from within the program's own code, to the end of one that is; or to the
 * beginning of one that a stop could break off in the middle. False: there is none, or one begins that may not be
 * stopped.
 */
bool lead_on(const Threads& threads, Thread& thread, const Target& target, const Deadline& deadline) {
  const Memory& memory = target.memory;
  bool inside = false;
  bool told = true;
  for (;;) {
    if (!inside && stands_safely(target, thread)) return true;
    // What that has cut short is finished once it is released.
    if (!inside && is_short(threads, thread)) return false;
    if (deadline.passed()) return false;
    // What we have broken off is made again.
    const auto again = inside ? std::nullopt : threads.resumption(thread);
    if (again && thread.tracee.stopped() && !thread.tracee.set(*again)) return false;
    thread.tracee.resume_to_system_call();
    thread.secured = false;
    thread.call = BrokenCall{};
    if (!thread.tracee.await_stop(deadline.no_later_than_ms(kStillMs))) {
      if (!inside) continue;
      // It waits; stopped, it is at the end of that call, whatever it was.
      thread.tracee.interrupt();
      told = true;
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
    if (!inside && !told) take_as_whole(thread);
    if (inside) told = false;
    if (!inside || condition != Tracee::Condition::system_call) continue;
    const auto beginning = thread.tracee.registers();
    if (!beginning) return false;
    const SystemCall call = arch::call_in(*beginning);
    if (!is_to_be_whole(memory, call)) continue;
    if (!is_safe(target, call)) return false;
    if (!has_filters(memory.pid(), thread.tracee.tid())) return hold_before(thread, memory, *beginning, deadline);
  }
}

/**
 * Which threads were met amid bytes, where they cannot make calls for us. Each time that takes some of the room behind
 * libc's code: so they are left alone for a while, and each time for longer.
 */
class MetAmidBytes {
 public:
  [[nodiscard]] bool rests(pid_t tid) const {
    const auto found = met_.find(tid);
    return found != met_.end() && !found->second.until.passed();
  }
  void add(pid_t tid) {
    constexpr int kFirstMs = 100;
    const auto found = met_.find(tid);
    const int ms = found == met_.end() ? kFirstMs : 2 * found->second.ms;
    met_.insert_or_assign(tid, Rest{ms, Deadline::of_taking_back_in_ms(ms)});
  }

 private:
  struct Rest {
    int ms;
    Deadline until;
  };
  std::map<pid_t, Rest> met_;
};

/** It ran when it was told to stop, or had begun another call. */
void finish_alone(Thread& thread, const Target& target) {
  constexpr int kPatienceMs = 5000;
  Visit visit(target.memory, target.libc, thread);
  if (!visit.finish_behind_libc()) (void)visit.enter(std::nullopt, Deadline::of_taking_back_in_ms(kPatienceMs));
}

Thread* look_for_one(Threads& threads, const Target& target, const MetAmidBytes& met, const Deadline& deadline) {
  const Memory& memory = target.memory;
  const Deadline better = Deadline::of_taking_back_in_ms(kBetterOnesMs);
  do {
    const bool any = threads.can_finish() || better.passed();
    std::vector<pid_t> busy;
    for (const pid_t tid : threads_of(memory.pid())) {
      SystemCall call;
      const Activity activity = look_at_call(memory, tid, call);
      if (activity == Activity::running && !met.rests(tid)) busy.push_back(tid);
      if (activity != Activity::sleeping || !is_safe(target, call)) continue;
      if (moves_parts(call) && !(any && has_rest(memory, call) && has_room(memory, call))) continue;
      Thread* thread = threads.stop(tid, deadline);
      if (thread == nullptr) continue;
      if (stands_safely(target, *thread)) return thread;
      threads.release(*thread);
    }
    for (const pid_t tid : busy) {
      if (deadline.passed()) break;
      const Deadline turn = deadline.no_later_than_ms(kTurnMs);
      Thread* thread = threads.stop(tid, turn);
      if (thread == nullptr) continue;
      if (lead_on(threads, *thread, target, turn)) return thread;
      threads.release(*thread);
    }
    nap(kPause);
  } while (!deadline.passed() && !has_ended(memory.pid()));
  return nullptr;
}

}  // namespace

Thread* stop_at_safe_point(Threads& threads, const Memory& memory, const EntryPoints& libc,
                           const std::optional<Image>& libsd, const Deadline& deadline) {
  const Target target{memory, libc, libsd};
  MetAmidBytes met;
  threads.finish_alone_by([&](Thread& thread) {
    met.add(thread.tracee.tid());
    finish_alone(thread, target);
  });
  Thread* const found = look_for_one(threads, target, met, deadline);
  threads.finish_alone_by(nullptr);
  return found;
}

}  // namespace sockdoc::inject
