#include "probes/sched/thread_table.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/procfs.h"

namespace sockdoc {
namespace {

// Some 3 µs each for schedstat, and 25 for all that is read of one that moved: bounds of 50 and 100 ms.
constexpr std::size_t kMaxThreads = 16384;
constexpr std::size_t kMaxDetailed = 4096;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/** Reads /proc/…/TID/FILE; `folder` is that of the threads. */
std::optional<std::string_view> read_file(int folder, const char* tid, const char* file, std::span<char> buffer) {
  char path[48];
  std::snprintf(path, sizeof path, "%s/%s", tid, file);
  return read_small(folder, path, buffer);
}

bool same(const std::optional<SchedulerTimes>& a, const std::optional<SchedulerTimes>& b) {
  if (!a || !b) return !a && !b;
  return a->run_ns == b->run_ns && a->delay_ns == b->delay_ns && a->timeslices == b->timeslices;
}

/** Reads what the rows wait for: of these few only, since it takes the kernel a look at a stack. */
void add_waits(std::vector<ThreadActivity>& rows, Gaps& gaps) {
  char buffer[512];
  std::uint64_t denied = 0;
  for (ThreadActivity& row : rows) {
    if (row.stat.state == 'R') continue;
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/wchan", row.pid, row.tid);
    if (const auto text = read_small(AT_FDCWD, path, buffer); text && *text != "0") row.wait_channel = *text;
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", row.pid, row.tid);
    if (const auto text = read_small(AT_FDCWD, path, buffer)) {
      row.call = parse_blocked_call(*text);
    } else if (errno == EPERM || errno == EACCES) {
      ++denied;
    }
  }
  if (denied == 0) return;
  gaps.add({"scheduler", "system calls of threads (/proc/PID/task/TID/syscall)", std::strerror(EACCES),
            "CAP_SYS_PTRACE", denied});
}

bool comes_before(const ThreadActivity& a, const ThreadActivity& b) {
  if (a.serves_sockets != b.serves_sockets) return a.serves_sockets;
  const auto delay = [](const ThreadActivity& row) { return row.times ? row.times->delay_ns : 0; };
  const auto run = [](const ThreadActivity& row) { return row.times ? row.times->run_ns : 0; };
  if (delay(a) != delay(b)) return delay(a) > delay(b);
  if (run(a) != run(b)) return run(a) > run(b);
  return a.tid < b.tid;
}

}  // namespace

std::vector<int> threads_of(const std::vector<int>& pids) {
  std::vector<int> tids;
  char path[32];
  for (const int pid : pids) {
    std::snprintf(path, sizeof path, "/proc/%d/task", pid);
    FolderReader threads(AT_FDCWD, path);
    if (threads.valid()) threads.for_each_number([&](const char*, int tid) { tids.push_back(tid); });
  }
  return tids;
}

struct ThreadTable::Pass {
  const ThreadsRequest& request;
  ThreadsReading reading;
  Samples samples;
  std::size_t detailed = 0;
  std::uint64_t beyond = 0;   // threads that were not looked at
  std::uint64_t without = 0;  // that have no schedstat
  std::uint64_t shallow = 0;  // that moved but were not read in full
};

void ThreadTable::add_gaps(const Pass& pass, Gaps& gaps) {
  if (pass.beyond > 0) {
    gaps.add({"scheduler", "threads", "shortened to " + std::to_string(kMaxThreads) + " threads", "", pass.beyond});
  }
  if (pass.without > 0) {
    gaps.add({"scheduler", "run-queue delay of threads (/proc/PID/task/TID/schedstat)",
              "not in this kernel (CONFIG_SCHED_INFO)", "", pass.without});
  }
  if (pass.shallow > 0) {
    gaps.add({"scheduler", "threads that ran", "shortened to " + std::to_string(kMaxDetailed) + " threads", "",
              pass.shallow});
  }
}

ThreadsReading ThreadTable::read(const ThreadsRequest& request, Gaps& gaps) {
  const std::int64_t began_ns = now_ns();
  Pass pass{request, {}, {}};
  pass.samples.reserve(before_.size() + 64);
  char name[16];
  if (!request.pids) {
    FolderReader processes(AT_FDCWD, "/proc");
    processes.for_each_number([&](const char* pid_name, int pid) {
      if (!request.self.contains(pid)) read_process(pass, pid, pid_name);
    });
  } else {
    for (const int pid : *request.pids) {
      std::snprintf(name, sizeof name, "%d", pid);
      read_process(pass, pid, name);
    }
  }
  add_gaps(pass, gaps);
  complete_ = pass.beyond == 0;
  last_ns_ = began_ns;
  before_ = std::move(pass.samples);
  ThreadsReading& reading = pass.reading;
  std::sort(reading.rows.begin(), reading.rows.end(), comes_before);
  if (reading.rows.size() > request.limit) {
    reading.left_out += reading.rows.size() - request.limit;
    reading.rows.resize(request.limit);
  }
  add_waits(reading.rows, gaps);
  return std::move(reading);
}

void ThreadTable::read_process(Pass& pass, int pid, const char* name) {
  char path[32];
  char buffer[64];
  std::snprintf(path, sizeof path, "/proc/%s/task", name);
  const std::size_t first = pass.reading.rows.size();
  FolderReader threads(AT_FDCWD, path);
  if (!threads.valid()) return;
  threads.for_each_number([&](const char* tid_name, int tid) { read_thread(pass, threads.fd(), pid, tid_name, tid); });
  if (pass.reading.rows.size() == first) return;
  std::snprintf(path, sizeof path, "/proc/%s/comm", name);
  std::string_view process = read_small(AT_FDCWD, path, buffer).value_or("");
  process = take_until(process, '\n');
  for (std::size_t i = first; i < pass.reading.rows.size(); ++i) pass.reading.rows[i].process = process;
}

bool ThreadTable::is_runnable(const Sample& sample) { return sample.stat && sample.stat->state == 'R'; }

void ThreadTable::read_thread(Pass& pass, int folder, int pid, const char* name, int tid) {
  if (pass.samples.size() >= kMaxThreads) {
    ++pass.beyond;
    return;
  }
  char buffer[256];
  Sample now;
  const auto schedstat = read_file(folder, name, "schedstat", buffer);
  now.at_ns = now_ns();
  now.times = schedstat ? parse_schedstat(*schedstat) : std::nullopt;
  if (schedstat && !now.times) ++pass.without;

  const auto found = before_.find(tid);
  const Sample* before = found == before_.end() ? nullptr : &found->second;
  const bool serves = pass.request.sockets.contains(pid);
  const bool moved = before == nullptr || !now.times || !same(before->times, now.times) || is_runnable(*before);
  if (!moved) now = Sample{now.times, before->switches, before->stat, now.at_ns};
  const bool wanted = moved || serves || pass.request.pids.has_value();
  if (wanted && !now.stat && pass.detailed < kMaxDetailed) {
    ++pass.detailed;
    if (!read_details(folder, name, now)) return;  // it has ended meanwhile
  }
  if (wanted && now.stat) {
    ThreadActivity row;
    row.pid = pid;
    row.tid = tid;
    row.serves_sockets = serves;
    row.stat = *now.stat;
    compare(before, now, row);
    pass.reading.rows.push_back(std::move(row));
  } else {
    if (wanted) ++pass.shallow;
    ++pass.reading.left_out;
  }
  pass.samples.emplace(tid, std::move(now));
}

bool ThreadTable::read_details(int folder, const char* name, Sample& now) {
  char buffer[4096];
  const auto text = read_file(folder, name, "stat", buffer);
  now.stat = text ? parse_stat(*text) : std::nullopt;
  if (!now.stat) return false;
  if (const auto status = read_file(folder, name, "status", buffer)) now.switches = parse_switches(*status);
  return true;
}

void ThreadTable::compare(const Sample* before, const Sample& now, ThreadActivity& row) const {
  const bool reused = before != nullptr && before->stat && before->stat->start_ticks != row.stat.start_ticks;
  // One that began since the reading before did so at zero.
  const bool began = (before == nullptr || reused) && complete_ && last_ns_ != 0;
  const Sample zero{SchedulerTimes{}, Switches{}, std::nullopt, last_ns_};
  if (began) before = &zero;
  if (before == nullptr || (reused && !began)) return;
  row.seconds = static_cast<double>(now.at_ns - before->at_ns) / 1e9;
  if (before->times && now.times && now.times->run_ns >= before->times->run_ns) {
    row.times = SchedulerTimes{now.times->run_ns - before->times->run_ns, now.times->delay_ns - before->times->delay_ns,
                               now.times->timeslices - before->times->timeslices};
    // The kernel adds a delay when it is over: one that could run at both readings and never did has waited throughout.
    const bool starved = same(before->times, now.times) && is_runnable(*before) && is_runnable(now);
    if (starved) row.times->delay_ns = static_cast<std::uint64_t>(now.at_ns - before->at_ns);
  }
  if (before->switches && now.switches) {
    row.switches = Switches{now.switches->voluntary - before->switches->voluntary,
                            now.switches->involuntary - before->switches->involuntary};
  }
}

}  // namespace sockdoc
