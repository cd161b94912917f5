#include "probes/sockets/process_json.h"

#include <unistd.h>

namespace sockdoc {
namespace {

double milliseconds_of_ticks(std::uint64_t ticks) {
  static const long kTicksPerSecond = ::sysconf(_SC_CLK_TCK);
  return static_cast<double>(ticks) * 1000 / static_cast<double>(kTicksPerSecond);
}

double milliseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

void text_field(Json& json, std::string_view name, const std::string& text) {
  if (!text.empty()) json.field(name, text);
}

void write_scheduling(Json& json, const std::optional<SchedulerTimes>& times, const std::optional<Switches>& switches) {
  if (times) json.field("runMs", milliseconds(times->run_ns)).field("runDelayMs", milliseconds(times->delay_ns));
  if (switches) {
    json.field("voluntarySwitches", switches->voluntary).field("involuntarySwitches", switches->involuntary);
  }
}

void write_descriptors(Json& json, const ProcessRow& row) {
  const ProcessEntry& process = row.process;
  if (!process.descriptors_read) return;
  json.key("descriptors").begin_object();
  json.field("open", process.open).field("sockets", process.sockets).field("highest", process.highest);
  if (row.details.files.soft) json.field("softLimit", *row.details.files.soft);
  if (row.details.files.hard) json.field("hardLimit", *row.details.files.hard);
  if (row.inheritable) json.field("socketsInheritable", *row.inheritable);
  json.end_object();
}

void write_epoll_sets(Json& json, const std::vector<EpollRow>& sets) {
  json.key("epollSets").begin_array();
  for (const EpollRow& set : sets) {
    json.begin_object().field("fd", set.fd).field("watches", set.watches).key("listeners").begin_array();
    for (const WatchedListener& listener : set.listeners) {
      json.begin_object().field("inode", listener.inode).field("exclusive", listener.exclusive).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array();
}

void write_identity(Json& json, const ProcessRow& row) {
  const ProcessEntry& process = row.process;
  const ProcessDetails& details = row.details;
  json.field("pid", process.pid).field("ppid", process.stat.ppid).field("comm", process.stat.comm);
  text_field(json, "commandLine", details.command_line);
  json.field("startTicks", process.stat.start_ticks).field("uid", details.uid.value_or(0));
  text_field(json, "netns", details.netns);
  text_field(json, "cgroup", details.cgroup);
  if (!details.cgroups.empty()) {
    json.key("cgroups").begin_object();
    for (const auto& [hierarchy, path] : details.cgroups) json.field(hierarchy, path);
    json.end_object();
  }
}

}  // namespace

void write_process(Json& json, const ProcessRow& row) {
  const ProcessEntry& process = row.process;
  const ProcessDetails& details = row.details;
  json.begin_object();
  write_identity(json, row);
  json.field("threads", process.stat.threads).field("children", process.children);
  json.field("userMs", milliseconds_of_ticks(process.stat.user_ticks));
  json.field("systemMs", milliseconds_of_ticks(process.stat.system_ticks));
  write_scheduling(json, row.sums.times, row.sums.switches);
  write_descriptors(json, row);
  if (details.memlock.soft) json.field("memlockBytes", *details.memlock.soft);
  if (details.memlock.soft || details.memlock.soft_unlimited) {
    json.field("memlockUnlimited", details.memlock.soft_unlimited);
  }
  text_field(json, "cpusAllowed", details.cpus_allowed);
  text_field(json, "memsAllowed", details.mems_allowed);
  json.key("tcp").begin_object();
  for (std::uint8_t state = 1; state < kTcpStates; ++state) {
    if (process.tcp[state] > 0) json.field(tcp_state_name(state), process.tcp[state]);
  }
  json.end_object().field("udp", process.udp).field("unix", process.unix_sockets);
  if (row.epoll_sets) write_epoll_sets(json, *row.epoll_sets);
  if (process.zero_copy) json.field("zeroCopy", true);
  json.end_object();
}

void write_thread(Json& json, const ThreadRow& row) {
  json.begin_object().field("pid", row.pid).field("tid", row.tid).field("comm", row.stat.comm);
  json.field("startTicks", row.stat.start_ticks).field("state", std::string_view(&row.stat.state, 1));
  json.field("cpu", row.stat.cpu);
  write_scheduling(json, row.times, row.switches);
  if (row.times) json.field("timeslices", row.times->timeslices);
  text_field(json, "waitChannel", row.wait_channel);
  if (row.call) {
    if (const std::string_view name = system_call_name(row.call->number); !name.empty()) {
      json.key("call").begin_object().field("name", name).field("arg0", row.call->arg0).end_object();
    }
  }
  json.end_object();
}

}  // namespace sockdoc
