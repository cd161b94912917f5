#include "probes/sched/sched_view.h"

#include <algorithm>

namespace sockdoc {
namespace {

double microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

void write_histogram(Json& json, const SchedWindow& window) {
  std::size_t used = window.counts.size();
  while (used > 0 && window.counts[used - 1] == 0) --used;
  std::uint64_t total = 0;
  json.begin_object().field("unit", "us").key("counts").begin_array();
  for (std::size_t i = 0; i < used; ++i) {
    json.value(window.counts[i]);
    total += window.counts[i];
  }
  json.end_array().field("total", total).field("sumUs", microseconds(window.sum_ns));
  if (total > 0) json.field("maxUs", microseconds(window.max_ns));
  json.end_object();
}

void write_shares(Json& json, const SchedCpuView& cpu, const std::optional<double>& seconds) {
  if (!cpu.before || cpu.ticks.total() <= cpu.before->total()) return;
  const auto total = static_cast<double>(cpu.ticks.total() - cpu.before->total());
  // Counters of idle time have been seen to go back.
  const auto share = [&](std::uint64_t before, std::uint64_t now) {
    return now < before ? 0.0 : std::min(1.0, static_cast<double>(now - before) / total);
  };
  const double busy = share(cpu.before->busy(), cpu.ticks.busy());
  const double steal = share(cpu.before->steal, cpu.ticks.steal);
  json.field("busyShare", busy).field("softirqShare", share(cpu.before->softirq, cpu.ticks.softirq));
  json.field("stealShare", steal);
  // Little's law: those that wait are as many as the time waited by the time that passed.
  if (cpu.run_delay && seconds) {
    const double waiting = static_cast<double>(cpu.run_delay->sum_ns) / 1e9 / *seconds;
    json.field("runQueueLength", busy + steal + waiting);
  }
}

void write_cpu(Json& json, const SchedCpuView& cpu, const std::optional<double>& seconds) {
  json.begin_object().field("cpu", cpu.ticks.cpu);
  write_shares(json, cpu, seconds);
  if (seconds && cpu.switches) json.field("switchesPerS", static_cast<double>(*cpu.switches) / *seconds);
  if (seconds && cpu.migrations) json.field("migrationsPerS", static_cast<double>(*cpu.migrations) / *seconds);
  if (cpu.run_delay) {
    json.key("runDelay");
    write_histogram(json, *cpu.run_delay);
  }
  json.end_object();
}

void write_rates(Json& json, const SchedThreadView& thread, double seconds) {
  const ThreadActivity& activity = thread.activity;
  if (activity.times) {
    const auto& [run, delay, slices] = *activity.times;
    json.field("cpuShare", static_cast<double>(run) / 1e9 / seconds);
    json.field("runDelayMsPerS", static_cast<double>(delay) / 1e6 / seconds);
    if (slices > 0) json.field("meanDelayUs", microseconds(delay) / static_cast<double>(slices));
  }
  if (thread.run_delay && thread.run_delay->max_ns > 0)
    json.field("maxDelayUs", microseconds(thread.run_delay->max_ns));
  if (activity.switches) {
    json.field("voluntarySwitchesPerS", static_cast<double>(activity.switches->voluntary) / seconds);
    json.field("involuntarySwitchesPerS", static_cast<double>(activity.switches->involuntary) / seconds);
  }
  if (thread.migrations) json.field("migrationsPerS", static_cast<double>(*thread.migrations) / seconds);
}

void write_thread(Json& json, const SchedThreadView& thread) {
  const ThreadActivity& activity = thread.activity;
  json.begin_object().field("pid", activity.pid).field("tid", activity.tid).field("comm", activity.stat.comm);
  json.field("process", activity.process).field("servesSockets", activity.serves_sockets);
  json.field("state", std::string_view(&activity.stat.state, 1)).field("cpu", activity.stat.cpu);
  if (activity.seconds && *activity.seconds > 0) write_rates(json, thread, *activity.seconds);
  if (!activity.wait_channel.empty()) json.field("waitChannel", activity.wait_channel);
  if (activity.call) {
    if (const auto name = system_call_name(activity.call->number); !name.empty()) json.field("call", name);
  }
  if (thread.run_delay) {
    json.key("runDelay");
    write_histogram(json, *thread.run_delay);
  }
  json.end_object();
}

/** Over all CPUs; nothing where no CPU has one. */
std::optional<SchedWindow> sum(const std::vector<SchedCpuView>& cpus,
                               std::optional<SchedWindow> SchedCpuView::*histogram) {
  std::optional<SchedWindow> total;
  for (const SchedCpuView& cpu : cpus) {
    if (!(cpu.*histogram)) continue;
    if (!total) total.emplace();
    total->add(*(cpu.*histogram));
  }
  return total;
}

}  // namespace

SchedWindow SchedWindow::between(const SchedHistogram& before, const SchedHistogram& after, std::uint64_t epoch) {
  SchedWindow window;
  for (std::size_t i = 0; i < window.counts.size(); ++i) window.counts[i] = after.counts[i] - before.counts[i];
  window.sum_ns = after.sum_ns - before.sum_ns;
  const SchedHistogram::Maximum& maximum = after.maxima[epoch & 1];
  if (maximum.epoch == epoch) window.max_ns = maximum.ns;
  return window;
}

void SchedWindow::add(const SchedWindow& other) {
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  sum_ns += other.sum_ns;
  max_ns = std::max(max_ns, other.max_ns);
}

void write_view(Json& json, const SchedView& view) {
  json.begin_object().field("source", view.bpf ? "bpf" : "procfs");
  if (const auto run_delay = sum(view.cpus, &SchedCpuView::run_delay)) {
    json.key("runDelay");
    write_histogram(json, *run_delay);
  }
  if (const auto wakeup = sum(view.cpus, &SchedCpuView::wakeup)) {
    json.key("wakeupLatency");
    write_histogram(json, *wakeup);
  }
  json.field("runnable", view.runnable);
  if (view.seconds && view.switches) json.field("switchesPerS", static_cast<double>(*view.switches) / *view.seconds);
  json.key("cpus").begin_array();
  for (const SchedCpuView& cpu : view.cpus) write_cpu(json, cpu, view.seconds);
  json.end_array().key("threads").begin_array();
  for (const SchedThreadView& thread : view.threads) write_thread(json, thread);
  json.end_array().field("threadsLeftOut", static_cast<std::uint64_t>(view.threads_left_out)).end_object();
}

}  // namespace sockdoc
