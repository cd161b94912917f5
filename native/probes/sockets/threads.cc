#include "probes/sockets/threads.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include "base/procfs.h"

namespace sockdoc {
namespace {

void add(std::optional<SchedulerTimes>& sum, const std::optional<SchedulerTimes>& times) {
  if (!sum || !times) return sum.reset();
  sum->run_ns += times->run_ns;
  sum->delay_ns += times->delay_ns;
  sum->timeslices += times->timeslices;
}

void add(std::optional<Switches>& sum, const std::optional<Switches>& switches) {
  if (!sum || !switches) return sum.reset();
  sum->voluntary += switches->voluntary;
  sum->involuntary += switches->involuntary;
}

}  // namespace

std::optional<SchedulerTimes> parse_schedstat(std::string_view text) {
  const auto run = parse_number<std::uint64_t>(take_until(text, ' '));
  const auto delay = parse_number<std::uint64_t>(take_until(text, ' '));
  const auto slices = parse_number<std::uint64_t>(text);
  if (!run || !delay || !slices) return std::nullopt;
  return SchedulerTimes{*run, *delay, *slices};
}

std::optional<Switches> parse_switches(std::string_view text) {
  const auto voluntary = parse_number<std::uint64_t>(line_of(text, "voluntary_ctxt_switches:"));
  const auto involuntary = parse_number<std::uint64_t>(line_of(text, "nonvoluntary_ctxt_switches:"));
  if (!voluntary || !involuntary) return std::nullopt;
  return Switches{*voluntary, *involuntary};
}

void ThreadReader::read_thread(int folder, const char* tid_name, ThreadRow& row) {
  char path[48];
  char buffer[4096];
  const auto read = [&](const char* file) {
    std::snprintf(path, sizeof path, "%s/%s", tid_name, file);
    return read_small(folder, path, buffer);
  };
  if (const auto text = read("schedstat")) row.times = parse_schedstat(*text);
  if (!row.times) ++times_missing_;
  if (const auto text = read("status")) row.switches = parse_switches(*text);
  if (row.stat.state == 'R') return;  // it waits nowhere
  if (const auto text = read("wchan"); text && *text != "0") row.wait_channel = *text;
  if (const auto text = read("syscall")) {
    row.call = parse_blocked_call(*text);
  } else if (errno == EPERM || errno == EACCES) {
    ++calls_denied_;
  }
}

ThreadSums ThreadReader::read(const ProcessEntry& process) {
  ThreadSums sums{SchedulerTimes{}, Switches{}};
  char path[32];
  char buffer[1024];
  std::snprintf(path, sizeof path, "/proc/%d/task", process.pid);
  FolderReader folder(AT_FDCWD, path);
  bool any = false;
  folder.for_each_number([&](const char* name, int tid) {
    if (rows_.size() >= limit_) {
      ++left_out_;
      sums = {};
      return;
    }
    std::snprintf(path, sizeof path, "%s/stat", name);
    const auto text = read_small(folder.fd(), path, buffer);
    auto stat = text ? parse_stat(*text) : std::nullopt;
    if (!stat) return;  // it has ended meanwhile
    ThreadRow row;
    row.pid = process.pid;
    row.tid = tid;
    row.stat = std::move(*stat);
    read_thread(folder.fd(), name, row);
    add(sums.times, row.times);
    add(sums.switches, row.switches);
    rows_.push_back(std::move(row));
    any = true;
  });
  return any ? sums : ThreadSums{};
}

void ThreadReader::finish() {
  if (left_out_ > 0) {
    gaps_.add({"sockets", "threads", "shortened to " + std::to_string(limit_) + " threads", "", left_out_});
  }
  if (calls_denied_ > 0) {
    gaps_.add_errno("sockets", "system calls of threads (/proc/PID/task/TID/syscall)", EPERM, "CAP_SYS_PTRACE");
  }
  if (times_missing_ > 0) {
    gaps_.add({"sockets", "run-queue delay of threads (/proc/PID/task/TID/schedstat)",
               "not in this kernel (CONFIG_SCHED_INFO)", "", times_missing_});
  }
}

}  // namespace sockdoc
