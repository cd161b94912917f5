#include "probes/sched/cpu_times.h"

#include "base/procfs.h"

namespace sockdoc {
namespace {

CpuTicks parse_cpu(int cpu, std::string_view numbers) {
  CpuTicks ticks;
  ticks.cpu = cpu;
  for (std::uint64_t* field : {&ticks.user, &ticks.nice, &ticks.system, &ticks.idle, &ticks.iowait, &ticks.irq,
                               &ticks.softirq, &ticks.steal}) {
    *field = parse_number<std::uint64_t>(take_until(numbers, ' ')).value_or(0);
  }
  return ticks;
}

}  // namespace

HostTimes parse_host_times(std::string_view stat) {
  HostTimes times;
  while (!stat.empty()) {
    std::string_view line = take_until(stat, '\n');
    const std::string_view name = take_until(line, ' ');
    if (name == "ctxt") {
      times.switches = parse_number<std::uint64_t>(line);
    } else if (name == "procs_running") {
      times.runnable = parse_number<std::uint64_t>(line);
    } else if (name.starts_with("cpu")) {
      if (const auto cpu = parse_number<int>(name.substr(3))) times.cpus.push_back(parse_cpu(*cpu, line));
    }
  }
  return times;
}

}  // namespace sockdoc
