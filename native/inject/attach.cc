#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "inject/guard.h"
#include "inject/kept.h"
#include "inject/libsd.h"
#include "inject/ptrace/code.h"
#include "inject/redirection.h"
#include "inject/seccomp/judge.h"
#include "inject/turn.h"
#include "inject/visit/safe_point.h"

namespace sockdoc::inject {
namespace {

// How long all threads are waited for at a time: others are held meanwhile, and one in vfork() does not stop before its
// child executes. On a busy machine it takes longer: each try waits twice as long.
constexpr int kFirstStopMs = 20;
constexpr int kLongestStopMs = 400;
constexpr std::int64_t kPause = 3'000'000;          // between two tries
constexpr int kToTakeBackMs = 5000;                 // a thread may have to come to a safe point once more
constexpr std::int64_t kLongestPause = 50'000'000;  // so that who has long to wait stops the process seldom

Refusal too_late(const char* what) {
  if (asked_to_end) return {"interrupted", "It was asked to end, and has taken back what it had begun.", ""};
  return {"timeout", what, "Try again, or with a longer --timeout-ms."};
}

/** Measures how long threads are held. */
class Hold {
 public:
  explicit Hold(Outcome& outcome) : outcome_(outcome) {}
  ~Hold() { outcome_.stops.push_back(ms_since(begin_)); }
  void all_stopping() { all_ = now_ns(); }
  void all_released() { outcome_.all_stopped = ms_since(all_); }

 private:
  static double ms_since(std::int64_t begin) { return static_cast<double>(now_ns() - begin) / 1e6; }
  Outcome& outcome_;
  std::int64_t begin_ = now_ns();
  std::int64_t all_ = begin_;
};

/** One try of a job: what may be tried again is not yet a refusal. */
struct Try {
  const Memory& memory;
  const Suitable& target;
  const EntryPoints& entry;
  const Job& job;
  const Deadline& deadline;
  Outcome& outcome;
  int stop_ms;
};

bool worth_another_try(const Refusal& refusal) {
  const std::string_view code = refusal.code;
  return code == "busy-text" || code == "timeout";
}

/** What was judged is still there: with one of its threads in our hands, its number is no other's from now on. */
bool same_process(const Try& one) {
  const auto now = read_facts(process_folder(one.memory.pid()));
  return now && now->identity == one.target.facts.identity;
}

/** A call that was cut short can be finished by libsd alone: until that is there, no time is up. */
Deadline until_mended(const Try& one, const Thread& host) {
  return host.call.way == BrokenCall::Way::partly ? Deadline::of_taking_back_in_ms(kToTakeBackMs) : one.deadline;
}

/** Pages of it are waited for less long. */
class Hurry {
 public:
  explicit Hurry(const Memory& memory) : access_(memory.access()) { access_.hurry(true); }
  ~Hurry() { access_.hurry(false); }
  Hurry(const Hurry&) = delete;
  Hurry& operator=(const Hurry&) = delete;

 private:
  Access& access_;
};

/** `work(visit, threads)` with a thread at a safe point that makes calls. */
template <typename Work>
Refused visiting(const Try& one, Work work) {
  const Hurry hurry(one.memory);
  Threads threads(one.memory);
  std::optional<arch::Pending> pending;
  if (const auto& libsd = one.target.libsd) pending = Libsd(one.memory, *libsd).pending();
  if (pending) threads.finish_by(*pending);
  Thread* host = stop_at_safe_point(threads, one.memory, one.entry, one.target.libsd, one.deadline);
  if (host == nullptr) {
    return too_late(
        "None of its threads came to a call where it can be held without harm: on a socket, or one that waits for a "
        "signal, a child or a long sleep.");
  }
  if (!same_process(one)) return Refusal{"gone", "It has ended, or has executed another program.", ""};
  Hold hold(one.outcome);
  reach(Step::at_safe_point, one.job);
  Visit visit(one.memory, one.entry, *host);
  auto refusal = visit.enter(pending, until_mended(one, *host));
  reach(Step::entered, one.job);
  if (!refusal) refusal = work(visit, threads, hold);
  // Whoever was told to stop and has not would have its call cut short, were we to end.
  threads.release_others(*host);
  visit.leave();
  reach(Step::left, one.job);
  threads.release();
  hold.all_released();
  return refusal;
}

/** From now on no call stays cut short, whatever comes of the rest. */
void finish_by(const Libsd& libsd, Visit& visit, Threads& threads) {
  const auto pending = libsd.pending();
  if (!pending) return;
  threads.finish_by(*pending);
  const Thread& host = visit.host();
  if (host.call.way != BrokenCall::Way::partly) return;
  const auto rest =
      arch::redirected(host.registers, *pending, Address{host.registers.rip}, host.call.done, host.waited_ms);
  visit.go_on_at(rest.alone, rest.by_kernel);
}

Refused stop_and_patch(const Try& one, const EpollSetsCounter& counter, Visit& visit, Threads& threads, Hold& hold,
                       Libsd& libsd, std::span<const sockdoc_attach_site> sites) {
  const auto pending = libsd.pending();
  if (!pending) return Refusal{"failed", "libsd in it is of another version.", "Restart the process."};
  hold.all_stopping();
  if (auto refusal = threads.stop_all(one.deadline.no_later_than_ms(one.stop_ms))) return refusal;
  reach(Step::all_stopped, one.job);
  if (auto refusal = redirect(threads, visit, one.memory, one.entry.restorer, sites, *pending)) return refusal;
  // A handler may be where nothing could be read.
  if (auto refusal = one.memory.stalled()) return refusal;
  reach(Step::redirected, one.job);
  if (auto refusal = write_entries(visit.standing(), one.memory, sites.first(sites.size() / 2), true)) return refusal;
  reach(Step::half_patched, one.job);
  one.outcome.sets = counter.count();
  auto refusal = libsd.apply(visit, sites, one.outcome.sets.value_or(EpollSets{}), one.deadline);
  reach(Step::patched, one.job);
  return refusal;
}

/** It does not leave: what comes from now on may go by memory again. */
Refused stay(const Try& one, Libsd& libsd) {
  return visiting(one, [&](Visit& visit, Threads& threads, Hold&) {
    finish_by(libsd, visit, threads);
    if (one.outcome.late) (void)libsd.kept(visit, one.deadline, one.outcome.kept, one.outcome.kept_count);
    return libsd.attach(visit, one.job, one.deadline);
  });
}

Refused try_attach(const Try& one, EpollSetsCounter& counter) {
  std::optional<Libsd> libsd;
  const auto maps = read_maps(one.memory.pid());
  if (!maps) return gone();
  for (Image& image : exporting(one.memory, *maps, "sockdoc_libsd_present")) libsd.emplace(one.memory, image);
  if (libsd && libsd->at_work() && libsd->leaving()) return stay(one, *libsd);
  if (auto refusal = one.memory.stalled()) return refusal;
  counter.prepare(one.memory.pid());
  return visiting(one, [&](Visit& visit, Threads& threads, Hold& hold) -> Refused {
    if (!libsd) {
      const Deadline deadline = until_mended(one, visit.host());
      if (auto refusal = Libsd::load(visit, one.memory, one.target.libc, one.job, deadline, libsd)) return refusal;
    }
    finish_by(*libsd, visit, threads);
    reach(Step::loaded, one.job);
    std::vector<sockdoc_attach_site> sites;
    if (auto refusal = libsd->attach(visit, one.job, one.deadline)) return refusal;
    if (auto refusal = libsd->write_trampolines(visit, one.deadline)) return refusal;
    if (auto refusal = libsd->sites(visit, one.deadline, sites)) return refusal;
    reach(Step::prepared, one.job);
    return stop_and_patch(one, counter, visit, threads, hold, *libsd, sites);
  });
}

/** 0 directions left on rings; or the deadline. In between the process runs, since it has to read what is in the rings.
 */
Refused await_leaving(const Try& one, Libsd& libsd) {
  std::uint32_t left = 0;
  for (std::int64_t pause = kPause;; pause = std::min(2 * pause, kLongestPause)) {
    const auto refusal = visiting(one, [&](Visit& visit, Threads& threads, Hold&) {
      finish_by(libsd, visit, threads);
      one.outcome.leaving = true;
      return libsd.leave(visit, one.deadline, left);
    });
    if (left == 0 || (refusal && !worth_another_try(*refusal))) return refusal;
    if (one.deadline.passed()) {
      one.outcome.late = true;
      return refusal ? refusal : too_late("Its connections were back on the kernel only when the time was up.");
    }
    nap(pause);
  }
}

/** Since the look that found nothing, a thread has begun to speak with the monitor. */
Refusal not_left_after_all() { return too_late("A thread spoke with the monitor whenever all were stopped."); }

Refused try_detach(const Try& one) {
  Libsd libsd(one.memory, *one.target.libsd);
  if (auto refusal = await_leaving(one, libsd)) return refusal;
  reach(Step::prepared, one.job);
  return visiting(one, [&](Visit& visit, Threads& threads, Hold& hold) -> Refused {
    finish_by(libsd, visit, threads);
    std::vector<sockdoc_attach_site> sites;
    if (auto refusal = libsd.sites(visit, one.deadline, sites)) return refusal;
    hold.all_stopping();
    if (auto refusal = threads.stop_all(one.deadline.no_later_than_ms(one.stop_ms))) return refusal;
    reach(Step::all_stopped, one.job);
    auto refusal = libsd.undo(visit, sites, one.deadline);
    reach(Step::patched, one.job);
    if (refusal && libsd.keeps(visit, one.deadline)) return not_left_after_all();
    return refusal;
  });
}

void stay_after_all(const Try& one) {
  if (!one.outcome.leaving || has_ended(one.memory.pid())) return;
  Libsd libsd(one.memory, *one.target.libsd);
  // It says no where nothing is to be taken back, because all went on in between.
  (void)stay(one, libsd);
}

Refusal already() { return {"already", "libsd is at work in it already.", ""}; }

Refused nothing_to_do(const Memory& memory, const Suitable& target, Purpose purpose) {
  const bool at_work = target.libsd && Libsd(memory, *target.libsd).at_work();
  // An injector was killed while it took libsd out.
  const bool leaving = at_work && Libsd(memory, *target.libsd).leaving();
  if (purpose == Purpose::attach && at_work && !leaving) return already();
  if (purpose == Purpose::detach && !at_work) return Refusal{"not-attached", "libsd is not at work in it.", ""};
  return std::nullopt;
}

/** Another injector came first, while we looked. */
Refused overtaken(const Memory& memory, Purpose purpose) {
  const auto maps = purpose == Purpose::attach ? read_maps(memory.pid()) : std::nullopt;
  if (!maps) return std::nullopt;
  for (Image& image : exporting(memory, *maps, "sockdoc_libsd_present")) {
    const Libsd libsd(memory, image);
    if (libsd.at_work() && !libsd.leaving()) return already();
  }
  return std::nullopt;
}

/** Judges, and tries until it is done, refused, or too late. */
template <typename Attempt, typename TakeBack>
Refused perform(const Memory& memory, const Job& job, Attempt attempt, TakeBack take_back, Outcome& outcome) {
  const pid_t pid = memory.pid();
  const Deadline deadline = Deadline::in_ms(job.timeout_ms);
  memory.access().give_up_by(deadline);
  Turn turn;
  if (auto refusal = Turn::await(pid, deadline, turn)) return refusal;
  const auto verdict = judge(memory, job.purpose, deadline);
  if (const auto* refusal = std::get_if<Refusal>(&verdict)) return *refusal;
  if (auto refusal = judge_monitor(pid, job.monitor)) return refusal;
  const auto& target = std::get<Suitable>(verdict);
  if (auto refusal = nothing_to_do(memory, target, job.purpose)) return refusal;
  const auto entry = find_entry_points(target.libc);
  if (!entry) return Refusal{"musl", "Its C library lacks functions that glibc has.", ""};
  const auto pending = target.libsd ? Libsd(memory, *target.libsd).pending() : std::nullopt;
  // A look at many processes is not worth what moving one is.
  constexpr int kLookMs = 1000;
  const Deadline patience_with_sleepers = job.dry_run ? deadline.no_later_than_ms(kLookMs) : deadline;
  begun();
  if (auto refusal = judge_filters(memory, *entry, pending, deadline, patience_with_sleepers, outcome.stops))
    return refusal;
  // What it has not in its memory, as libsd, could be where nothing came.
  if (auto refusal = memory.stalled()) return refusal;
  if (job.dry_run) return std::nullopt;
  reach(Step::judged, job);
  for (int stop_ms = kFirstStopMs;; stop_ms = std::min(2 * stop_ms, kLongestStopMs)) {
    auto refusal = attempt(Try{memory, target, *entry, job, deadline, outcome, stop_ms});
    if (!refusal) return refusal;
    if (auto overtaking = overtaken(memory, job.purpose)) return overtaking;
    const bool again = worth_another_try(*refusal) && !memory.access().stalled() && !has_ended(pid);
    if (again) nap(kPause);
    if (again && !deadline.passed()) continue;
    take_back(Try{memory, target, *entry, job, Deadline::of_taking_back_in_ms(kToTakeBackMs), outcome, stop_ms});
    return again && asked_to_end ? too_late("") : refusal;
  }
}

/** As it also shows when a process is killed meanwhile. */
bool broke_down(const Refusal& refusal) {
  const std::string_view code = refusal.code;
  return code == "failed" || code == "memory" || code == "loader";
}

/** One that was killed is seen to have ended only when the kernel has taken it apart. */
bool ends_soon(pid_t pid) {
  constexpr int kPatienceMs = 200;
  const Deadline patience = Deadline::of_taking_back_in_ms(kPatienceMs);
  while (!has_ended(pid)) {
    if (patience.passed()) return false;
    nap(1'000'000);
  }
  return true;
}

template <typename Attempt, typename TakeBack>
Outcome run(pid_t pid, const Job& job, Attempt attempt, TakeBack take_back) {
  Outcome outcome{.pid = pid, .comm = "", .refusal = {}, .stops = {}};
  if (const auto facts = read_facts(process_folder(pid))) outcome.comm = facts->comm;
  const Memory memory(pid);
  outcome.refusal = perform(memory, job, attempt, take_back, outcome);
  // Whatever it was at when it was asked to end ran out of time by that.
  if (asked_to_end && outcome.refusal && std::string_view(outcome.refusal->code) == "timeout") {
    outcome.refusal = too_late("");
  }
  // However its end showed: memory that could not be read, a call that did not come back.
  const bool zombie = outcome.refusal && std::string_view(outcome.refusal->code) == "zombie";
  if (outcome.refusal && !zombie && (has_ended(pid) || (broke_down(*outcome.refusal) && ends_soon(pid)))) {
    outcome.refusal = gone();
  } else if (outcome.refusal) {
    // However that showed.
    if (auto stalled = memory.stalled()) outcome.refusal = stalled;
  }
  return outcome;
}

}  // namespace

Outcome attach(pid_t pid, const Job& job) {
  EpollSetsCounter counter;
  return run(
      pid, job, [&](const Try& one) { return try_attach(one, counter); }, [](const Try&) {});
}

Outcome detach(pid_t pid, const Job& job) {
  Outcome outcome = run(pid, job, try_detach, stay_after_all);
  if (outcome.refusal && std::string_view(outcome.refusal->code) == "timeout" && !outcome.kept.empty()) {
    outcome.refusal->reason = kept_sentence(outcome.kept.front(), outcome.kept_count);
    outcome.refusal->next = "It stays attached, and works. Try again once that is over, or let it have more time.";
  }
  return outcome;
}

Outcome hung(pid_t pid) {
  Outcome outcome{.pid = pid, .comm = "", .refusal = {}, .stops = {}};
  if (const auto facts = read_facts(process_folder(pid))) outcome.comm = facts->comm;
  outcome.refusal = Refusal{"stalled",
                            "A look at it did not come back from the kernel in time: a file system of its program, its "
                            "root or its memory does not answer (FUSE or NFS).",
                            "Try again once that answers."};
  return outcome;
}

void reach(Step step, const Job& job) {
  if (job.end_at == static_cast<int>(step)) ::kill(::getpid(), SIGKILL);
}

}  // namespace sockdoc::inject
