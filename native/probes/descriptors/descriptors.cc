#include "probes/descriptors/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>

#include "base/netns.h"
#include "base/procfs.h"
#include "probes/descriptors/detail.h"
#include "probes/descriptors/kinds.h"
#include "probes/descriptors/protocol.h"
#include "probes/sockets/descriptor_flags.h"
#include "probes/sockets/netns_sockets.h"
#include "probes/sockets/process_details.h"

namespace sockdoc {
namespace {

constexpr int kInheritableSockets = 256;

/** Sockets that sock_diag does not show cost a system call each: so many are looked at in one reading. */
constexpr int kMaxAsked = 20'000;

/** The sockets of one process by protocol. */
struct SocketCounts {
  std::array<std::uint32_t, kTcpStates> tcp{};
  std::uint32_t unconnected = 0;  // TCP before bind() and connect()
  std::uint32_t udp = 0;
  std::uint32_t unix_domain = 0;
  std::map<std::string, int, std::less<>> kinds;
};

std::optional<std::uint64_t> netns_of(int pid) {
  char path[32];
  char target[64];
  std::snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  const auto link = read_link(AT_FDCWD, path, target);
  return link ? inode_of_link(*link, "net") : std::nullopt;
}

class Reading {
 public:
  explicit Reading(const DescriptorsRequest& request)
      : request_(request), processes_(ProcessTable::read(request.pids, {}, gaps_)), at_ms_(monotonic_ms()) {
    const bool all = request.pids.empty() || request.detail;
    std::vector<bool> wanted;
    for (const ProcessEntry& process : processes_.all()) wanted.push_back(all || process.asked);
    census_ = DescriptorCensus::read(processes_, wanted, gaps_);
    read_sockets();
  }

  std::string write() {
    Json json;
    json.begin_object().field("monotonicMs", at_ms_).key("processes").begin_array();
    for (std::uint32_t i = 0; i < processes_.all().size(); ++i) {
      if (is_selected(i)) write_process(json, i);
    }
    json.end_array().key("denied").begin_array();
    for (const ProcessEntry& process : processes_.all()) {
      if (process.asked && !process.descriptors_read) json.value(process.pid);
    }
    json.end_array();
    write_descriptors(json);
    json.key("gaps");
    gaps_.write(json);
    return json.end_object().take();
  }

 private:
  [[nodiscard]] bool is_selected(std::uint32_t index) const {
    const ProcessEntry& process = processes_.at(index);
    return process.descriptors_read && (request_.pids.empty() || process.asked);
  }

  /** Every namespace that a process with sockets is in, by one process of it; our own without entering. */
  void read_sockets() {
    std::map<std::uint64_t, std::string> paths;
    for (const ProcessEntry& process : processes_.all()) {
      if (process.sockets == 0) continue;
      const auto id = netns_of(process.pid);
      if (id) paths.try_emplace(*id, "/proc/" + std::to_string(process.pid) + "/ns/net");
    }
    if (const auto own = netns_id("")) {
      if (const auto found = paths.find(*own); found != paths.end()) found->second.clear();
    }
    for (const auto& [id, path] : paths) {
      if (facts_.read(path, request_.detail, gaps_)) read_namespaces_.push_back(id);
    }
    facts_.finish();
  }

  SocketCounts count_sockets(std::uint32_t index) {
    SocketCounts counts;
    const ProcessEntry& process = processes_.at(index);
    const auto before = [](const HeldFile& held, std::uint32_t wanted) { return held.process < wanted; };
    const std::vector<HeldFile>& all = census_.held();
    for (auto held = std::lower_bound(all.begin(), all.end(), index, before);
         held != all.end() && held->process == index; ++held) {
      if (held->is_pipe) continue;
      if (const SocketFact* fact = facts_.find(held->inode)) {
        count(counts, *fact);
      } else {
        count_unshown(counts, process.pid, *held);
      }
    }
    return counts;
  }

  static void count(SocketCounts& counts, const SocketFact& fact) {
    ++counts.kinds[std::string(kind_of(fact))];
    if (fact.protocol == SocketFact::Protocol::udp) ++counts.udp;
    if (fact.protocol == SocketFact::Protocol::unix_domain) ++counts.unix_domain;
    if (fact.protocol == SocketFact::Protocol::tcp && fact.state < kTcpStates) ++counts.tcp[fact.state];
  }

  /** Not in any dump: never connected, of another protocol, or missed. */
  void count_unshown(SocketCounts& counts, int pid, const HeldFile& held) {
    const std::string kind = socket_kind(asked_++ < kMaxAsked ? socket_protocol(pid, held.fd) : "");
    ++counts.kinds[kind];
    if (kind == "udp") ++counts.udp;
    if (kind == "unix") ++counts.unix_domain;
    if (kind != "tcp") return;
    const auto state = tcp_state_of(pid, held.fd, held.inode);
    if (state == kClose) {
      ++counts.unconnected;
    } else if (state && *state < kTcpStates) {
      ++counts.tcp[*state];
    }
  }

  void write_process(Json& json, std::uint32_t index) {
    const ProcessEntry& process = processes_.at(index);
    const ProcessDetails details = read_details(process.pid);
    if (!details.uid) return;  // it has ended meanwhile
    const auto netns = parse_number<std::uint64_t>(details.netns);
    const bool netns_read =
        netns && std::find(read_namespaces_.begin(), read_namespaces_.end(), *netns) != read_namespaces_.end();
    const SocketCounts sockets = count_sockets(index);
    json.begin_object().field("pid", process.pid).field("ppid", process.stat.ppid).field("comm", process.stat.comm);
    json.field("startTicks", process.stat.start_ticks).field("uid", *details.uid);
    if (!details.netns.empty()) json.field("netns", details.netns);
    json.field("children", process.children).key("descriptors").begin_object();
    json.field("open", process.open).field("sockets", process.sockets).field("highest", process.highest);
    json.field("softLimit", details.files.soft).field("hardLimit", details.files.hard);
    if (process.children > 0) json.field("socketsInheritable", inheritable(index));
    json.end_object().field("socketsRead", netns_read || process.sockets == 0);
    write_counts(json, sockets);
    write_kinds(json, index, sockets);
    json.end_object();
  }

  static void write_counts(Json& json, const SocketCounts& sockets) {
    json.key("tcp").begin_object();
    for (std::uint8_t state = 1; state < kTcpStates; ++state) {
      if (sockets.tcp[state] > 0) json.field(tcp_state_name(state), sockets.tcp[state]);
    }
    if (sockets.unconnected > 0) json.field("unconnected", sockets.unconnected);
    json.end_object().field("udp", sockets.udp).field("unix", sockets.unix_domain);
  }

  void write_kinds(Json& json, std::uint32_t index, const SocketCounts& sockets) const {
    const auto& kinds = census_.of(index).kinds;
    const auto epolls = kinds.find("epoll");
    json.field("epollSets", epolls == kinds.end() ? 0 : epolls->second).key("kinds").begin_object();
    for (const auto& [kind, count] : kinds) {
      if (kind != "socket") json.field(kind, count);
    }
    for (const auto& [kind, count] : sockets.kinds) json.field(kind, count);
    json.end_object();
  }

  /** Of its first sockets, those that a program it starts would inherit; the standard three are meant to be. */
  [[nodiscard]] int inheritable(std::uint32_t index) const {
    int seen = 0, count = 0;
    char path[48];
    char buffer[1024];
    const auto before = [](const HeldFile& held, std::uint32_t wanted) { return held.process < wanted; };
    const std::vector<HeldFile>& all = census_.held();
    for (auto held = std::lower_bound(all.begin(), all.end(), index, before);
         held != all.end() && held->process == index && seen < kInheritableSockets; ++held) {
      if (held->is_pipe || held->fd <= STDERR_FILENO) continue;
      ++seen;
      std::snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", processes_.at(index).pid, held->fd);
      const auto text = read_small(AT_FDCWD, path, buffer);
      if (text && closes_on_exec(*text) == false) ++count;
    }
    return count;
  }

  void write_descriptors(Json& json) {
    if (!request_.detail) return;
    for (std::uint32_t i = 0; i < processes_.all().size(); ++i) {
      if (!processes_.at(i).asked || !processes_.at(i).descriptors_read) continue;
      json.key("descriptors");
      return write_detail(json, {i, request_.all_watches}, processes_, census_, facts_, gaps_);
    }
  }

  const DescriptorsRequest& request_;
  Gaps gaps_;
  ProcessTable processes_;
  double at_ms_;
  DescriptorCensus census_;
  SocketFacts facts_;
  std::vector<std::uint64_t> read_namespaces_;
  int asked_ = 0;
};

}  // namespace

std::string read_descriptors(const DescriptorsRequest& request) { return Reading(request).write(); }

}  // namespace sockdoc
