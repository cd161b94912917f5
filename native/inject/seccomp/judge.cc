#include "inject/seccomp/judge.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <vector>

#include "base/procfs.h"
#include "inject/ptrace/threads.h"
#include "inject/seccomp/filter.h"

namespace sockdoc::inject {
namespace {

using Filter = std::vector<sock_filter>;
using Filters = std::vector<Filter>;

Refusal limits_itself(const std::string& why, const char* next) {
  return {"seccomp", "It limits its own system calls (seccomp), and " + why, next};
}

/** Why the kernel does not show a thread's filters (PTRACE_SECCOMP_GET_FILTER). */
Refusal not_shown(int error) {
  const auto us = read_facts("/proc/self");
  if (error == EACCES && us && us->seccomp != 0) {
    return limits_itself("sockdoc cannot look at its filters since it is limited so itself.",
                         "Run it on the host, outside of a container.");
  }
  if (error == EACCES || error == EPERM) {
    return limits_itself("only root may look at its filters (CAP_SYS_ADMIN).", "Run it as root.");
  }
  if (error == EMEDIUMTYPE) return limits_itself("one of its filters cannot be looked at.", "");
  return limits_itself("this kernel does not show its filters (CONFIG_CHECKPOINT_RESTORE).", "");
}

/** 0, or the errno value. The oldest first. */
int read_filters(pid_t stopped, Filters& into) {
  const auto get = [&](std::uintptr_t nth, sock_filter* filter) {
    return ::ptrace(static_cast<__ptrace_request>(PTRACE_SECCOMP_GET_FILTER), stopped, reinterpret_cast<void*>(nth),
                    filter);
  };
  for (std::uintptr_t nth = 0;; nth++) {
    const long length = get(nth, nullptr);
    if (length < 0) return errno == ENOENT && nth > 0 ? 0 : errno;
    Filter filter(static_cast<std::size_t>(length));
    if (get(nth, filter.data()) != length) return errno;
    into.push_back(std::move(filter));
  }
}

/** Of all filters, as the kernel has it: the strictest counts. */
Answer ask(const Filters& filters, int number, Arguments arguments) {
  Answer worst = Answer::allows;
  for (const Filter& filter : filters) worst = std::max(worst, ask_filter(filter, number, arguments));
  return worst;
}

constexpr sockdoc_argument kNothingKnown[6] = {};

bool may_make(const Filters& filters, const sockdoc_own_call& call) {
  const Answer answer = ask(filters, call.number, Arguments(call.arguments));
  return answer == Answer::allows || (answer == Answer::fails && call.need == SOCKDOC_MAY_FAIL);
}

/** The program itself, in some way. */
bool perhaps(const Filters& filters, std::initializer_list<int> numbers) {
  return std::ranges::any_of(numbers, [&](int number) {
    const Answer answer = ask(filters, number, Arguments(kNothingKnown));
    return answer == Answer::allows || answer == Answer::unclear;
  });
}

bool comes_up(const Filters& filters, int need) {
  if (need == SOCKDOC_FOR_EXEC) return perhaps(filters, {SYS_execve, SYS_execveat});
  if (need == SOCKDOC_FOR_SELECT) return perhaps(filters, {SYS_select});
  if (need == SOCKDOC_FOR_EPOLL) return perhaps(filters, {SYS_epoll_wait});
  return true;
}

void look_for_forbidden(const Filters& filters, std::set<std::string>& into) {
  for (const sockdoc_own_call& call : sockdoc_own_calls) {
    if (!may_make(filters, call) && comes_up(filters, call.need)) into.insert(call.name);
  }
}

/** A thread that slept for a time goes on by restart_syscall(2). Where it may not, it sleeps anew. */
void spare_restart(Thread& thread, const Filters& filters) {
  constexpr long kBlock = -516;  // ERESTART_RESTARTBLOCK
  if (static_cast<long>(thread.registers.rax) != kBlock) return;
  if (ask(filters, SYS_restart_syscall, Arguments(kNothingKnown)) == Answer::allows) return;
  thread.settled = thread.tracee.set(arch::again(thread.registers));
}

std::string text_of(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Refusal forbidden(const std::set<std::string>& names) {
  std::string in_unit;
  bool code = false;
  for (const std::string& name : names) {
    code = code || name.starts_with("mmap(");
    if (!name.ends_with(')')) in_unit += (in_unit.empty() ? "SystemCallFilter=" : " ") + name;
  }
  if (names.count("socket(AF_UNIX)") != 0) {
    in_unit += std::string(in_unit.empty() ? "" : ", ") + "RestrictAddressFamilies=AF_UNIX";
  }
  Refusal refusal = limits_itself("its filters do not surely allow what libsd needs: " + text_of(names) + ".", "");
  if (!code) refusal.next = "Allow that, in a unit of systemd by " + in_unit + ", and start it anew.";
  return refusal;
}

/** Found out before anything is stopped; the kernel may still say no, as in a user namespace. */
bool may_look() {
  char buffer[8192];
  const auto status = read_small(AT_FDCWD, "/proc/self/status", buffer);
  if (!status || parse_number<int>(line_of(*status, "Seccomp:")).value_or(0) != 0) return false;
  const auto effective = parse_number<std::uint64_t>(line_of(*status, "CapEff:"), 16).value_or(0);
  return (effective >> CAP_SYS_ADMIN & 1) != 0;
}

Refusal too_late() {
  return {"timeout", "Its threads did not all stop in time, so that their filters could be looked at.", "Try again."};
}

Refusal sleeps_amid_bytes() {
  return limits_itself(
      "a thread of it sleeps amid a transfer: its filters could be looked at only by cutting that short.",
      "Try again when that thread has gone on.");
}

class Judge {
 public:
  Judge(const Memory& memory, const EntryPoints& libc, const std::optional<arch::Pending>& pending,
        const Deadline& deadline, std::vector<double>& stops)
      : memory_(memory), libc_(libc), pending_(pending), deadline_(deadline), stops_(stops) {}

  /** `postponed`: it may not be stopped now, and nothing was done. */
  Refused thread(pid_t tid, bool& postponed);
  [[nodiscard]] Refused verdict() const {
    if (forbidden_.empty()) return std::nullopt;
    return forbidden(forbidden_);
  }

 private:
  [[nodiscard]] bool may_stop(pid_t tid) const;
  void finish(Thread& stopped, const Filters& filters) const;

  Memory memory_;
  const EntryPoints& libc_;
  const std::optional<arch::Pending>& pending_;
  const Deadline& deadline_;
  std::vector<double>& stops_;
  std::set<std::string> forbidden_;
  std::vector<Filters> known_;  // most threads have those of the one that made them
};

bool Judge::may_stop(pid_t tid) const {
  SystemCall call;
  return pending_ || look_at_call(memory_, tid, call) != Activity::sleeping || !moves_parts(call);
}

/** It ran when we looked, and was amid its bytes all the same. */
void Judge::finish(Thread& stopped, const Filters& filters) const {
  Visit visit(memory_, libc_, stopped);
  if (visit.finish_behind_libc()) return;
  std::set<std::string> names;
  look_for_forbidden(filters, names);
  constexpr int kPatienceMs = 5000;
  if (!filters.empty() && names.empty()) {
    (void)visit.enter(std::nullopt, Deadline::of_taking_back_in_ms(kPatienceMs));
  }
}

Refused Judge::thread(pid_t tid, bool& postponed) {
  const auto facts = read_facts(thread_folder(memory_.pid(), tid));
  if (!facts || facts->seccomp == SECCOMP_MODE_DISABLED) return std::nullopt;
  if (facts->seccomp == SECCOMP_MODE_STRICT) {
    return limits_itself("may do no more than read, write and end (SECCOMP_MODE_STRICT).", "");
  }
  if (!may_look()) return not_shown(EACCES);
  postponed = !may_stop(tid);
  if (postponed) return std::nullopt;
  const std::int64_t begin = now_ns();
  Filters filters;
  Threads threads(memory_);
  if (pending_) threads.finish_by(*pending_);
  threads.finish_alone_by([&](Thread& one) { finish(one, filters); });
  Thread* stopped = threads.stop(tid, deadline_);
  if (stopped == nullptr) {
    if (has_ended(memory_.pid()) || !read_facts(thread_folder(memory_.pid(), tid))) return std::nullopt;
    return too_late();
  }
  const int error = read_filters(tid, filters);
  if (error == 0) spare_restart(*stopped, filters);
  if (error != 0) filters.clear();
  threads.release();
  stops_.push_back(static_cast<double>(now_ns() - begin) / 1e6);
  if (error != 0) return not_shown(error);
  const auto same = [&](const Filters& other) {
    return std::equal(filters.begin(), filters.end(), other.begin(), other.end(), [](const Filter& a, const Filter& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0;
    });
  };
  if (std::any_of(known_.begin(), known_.end(), same)) return std::nullopt;
  look_for_forbidden(filters, forbidden_);
  known_.push_back(std::move(filters));
  return std::nullopt;
}

}  // namespace

Refused judge_filters(const Memory& memory, const EntryPoints& libc, const std::optional<arch::Pending>& pending,
                      const Deadline& deadline, const Deadline& with_sleepers, std::vector<double>& stops) {
  constexpr std::int64_t kPause = 2'000'000;
  Judge judge(memory, libc, pending, deadline, stops);
  std::set<pid_t> judged;
  for (;;) {
    bool found = false;
    bool asleep = false;
    for (const pid_t tid : threads_of(memory.pid())) {
      if (judged.count(tid) != 0) continue;
      bool postponed = false;
      if (auto refusal = judge.thread(tid, postponed)) return refusal;
      asleep |= postponed;
      if (postponed) continue;
      judged.insert(tid);
      found = true;
    }
    if (!found && !asleep) return judge.verdict();
    if (deadline.passed()) return asleep ? sleeps_amid_bytes() : too_late();
    if (found) continue;
    // What others may not do is told at once.
    if (auto refusal = judge.verdict()) return refusal;
    if (with_sleepers.passed()) return sleeps_amid_bytes();
    nap(kPause);
  }
}

}  // namespace sockdoc::inject
