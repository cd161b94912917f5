#include "probes/sched/sched_probe.h"

#include <fcntl.h>

#include <ctime>

#include "base/json.h"
#include "base/procfs.h"
#include "probes/bpf/kernel.h"
#include "probes/sched/sched_view.h"

namespace sockdoc {
namespace {

constexpr const char* kMissing = "histograms of run-queue delay and wake-up latency, and migrations";
constexpr const char* kNeeds = "CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN";
// /proc/stat has a line per CPU and one of all interrupts, which may be long but stands behind what is needed.
constexpr std::size_t kStatBytes = 1u << 20;

double now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void add_refusal(Gaps& gaps, const Error& error) {
  switch (error.code) {
    case ENOENT:
      return gaps.add({"scheduler", kMissing, "kernel without type information (BTF)", "", 1});
    case EOPNOTSUPP:
      return gaps.add({"scheduler", kMissing, error.what + " of another shape than we know", "", 1});
    case ENOSYS:
      return gaps.add({"scheduler", kMissing, "kernel without BPF", "", 1});
    case EPERM:
    case EACCES:
      return gaps.add_errno("scheduler", kMissing, error.code, kNeeds);
    default:
      return gaps.add({"scheduler", kMissing, error.message() + " (task storage needs Linux 5.11)", "", 1});
  }
}

HostTimes read_host_times(Gaps& gaps) {
  std::string buffer(kStatBytes, '\0');
  const auto text = read_small(AT_FDCWD, "/proc/stat", buffer);
  if (text) return parse_host_times(*text);
  gaps.add_errno("scheduler", "/proc/stat", errno, "");
  return {};
}

const CpuTicks* find(const HostTimes& times, int cpu) {
  for (const CpuTicks& ticks : times.cpus) {
    if (ticks.cpu == cpu) return &ticks;
  }
  return nullptr;
}

}  // namespace

void SchedProbe::start() {
  const std::scoped_lock lock(mutex_);
  if (programs_) return;
  refused_.reset();
  if (const Status attached = attach(); !attached) refused_ = attached.error();
}

Status SchedProbe::attach() {
  const auto btf = kernel_btf();
  if (!btf) return btf.error();
  const auto offsets = sched_offsets(**btf);
  if (!offsets) return offsets.error();
  auto programs = SchedPrograms::attach(*offsets);
  if (!programs) return programs.error();
  programs_ = std::move(*programs);
  base_.reset();
  return Done{};
}

void SchedProbe::stop() {
  const std::scoped_lock lock(mutex_);
  programs_.reset();
  base_.reset();
}

/** Reads everything, compares it with the base, and makes it the next one. */
SchedView SchedProbe::take(const SchedRequest& request, Gaps& gaps) {
  Base now;
  now.at_ms = now_ms();
  SchedView view;
  view.bpf = programs_.has_value();
  const std::uint64_t epoch = programs_ ? programs_->next_epoch() : 0;
  if (programs_) {
    now.cpus = programs_->cpus();
    now.migrations = programs_->migrations_to();
  }
  now.times = read_host_times(gaps);
  view.runnable = now.times.runnable;
  if (base_) {
    view.seconds = (now.at_ms - base_->at_ms) / 1e3;
    if (now.times.switches && base_->times.switches) view.switches = *now.times.switches - *base_->times.switches;
  }
  add_cpus(view, now, epoch);
  add_threads(view, now, epoch, request, gaps);
  base_ = std::move(now);
  return view;
}

void SchedProbe::add_cpus(SchedView& view, const Base& now, std::uint64_t epoch) const {
  for (const CpuTicks& ticks : now.times.cpus) {
    SchedCpuView cpu;
    cpu.ticks = ticks;
    const auto number = static_cast<std::size_t>(ticks.cpu);
    if (base_) {
      if (const CpuTicks* before = find(base_->times, ticks.cpu)) cpu.before = *before;
      if (number < now.cpus.size() && number < base_->cpus.size()) {
        const SchedCpu& before = base_->cpus[number];
        const SchedCpu& after = now.cpus[number];
        cpu.run_delay = SchedWindow::between(before.run_delay, after.run_delay, epoch);
        cpu.wakeup = SchedWindow::between(before.wakeup, after.wakeup, epoch);
        cpu.switches = after.switches - before.switches;
      }
      if (number < now.migrations.size() && number < base_->migrations.size()) {
        cpu.migrations = now.migrations[number] - base_->migrations[number];
      }
    }
    view.cpus.push_back(std::move(cpu));
  }
}

/** Before their other counters are read, so that no delay of theirs is in those alone. */
void SchedProbe::watch(const SchedRequest& request, Base& now, Gaps& gaps) {
  const std::vector<int> tids = threads_of(request.pids ? *request.pids : request.socket_pids);
  if (tids.size() > SchedPrograms::kMaxThreads) {
    gaps.add({"scheduler", "histograms of threads",
              "shortened to " + std::to_string(SchedPrograms::kMaxThreads) + " threads", "",
              tids.size() - SchedPrograms::kMaxThreads});
  }
  programs_->watch(tids);
  for (const int tid : programs_->watched()) {
    if (const auto counts = programs_->thread(tid)) now.threads.emplace(tid, *counts);
  }
}

void SchedProbe::add_threads(SchedView& view, Base& now, std::uint64_t epoch, const SchedRequest& request, Gaps& gaps) {
  if (programs_) watch(request, now, gaps);
  ThreadsReading reading = threads_.read({request.pids,
                                          {request.socket_pids.begin(), request.socket_pids.end()},
                                          {request.self_pids.begin(), request.self_pids.end()},
                                          request.limit},
                                         gaps);
  view.threads_left_out = reading.left_out;
  for (ThreadActivity& activity : reading.rows) {
    SchedThreadView thread;
    const auto after = now.threads.find(activity.tid);
    if (base_ && activity.seconds && after != now.threads.end()) {
      const auto before = base_->threads.find(activity.tid);
      const SchedThread begin = before == base_->threads.end() ? SchedThread{} : before->second;
      thread.run_delay = SchedWindow::between(begin.run_delay, after->second.run_delay, epoch);
      thread.migrations = after->second.migrations - begin.migrations;
    }
    thread.activity = std::move(activity);
    view.threads.push_back(std::move(thread));
  }
}

std::string SchedProbe::read(const SchedRequest& request) {
  const std::scoped_lock lock(mutex_);
  Gaps gaps;
  if (refused_) add_refusal(gaps, *refused_);
  const SchedView view = take(request, gaps);
  Json json;
  json.begin_object().field("windowMs", view.seconds.value_or(0) * 1e3).key("scheduler");
  write_view(json, view);
  json.key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace sockdoc
