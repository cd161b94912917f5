#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>

#include "probes/sockets/sockets_json.h"

namespace sockdoc {
namespace {

constexpr int kOwners = 64;
constexpr std::size_t kServing = 64;

void write_owners(Json& json, std::uint32_t inode, const RowContext& context) {
  int owners = 0;
  json.key("owners").begin_array();
  context.descriptors.for_each_owner(inode, [&](const HeldSocket& held) {
    if (++owners > kOwners) return;
    const ProcessEntry& process = context.processes.at(held.process);
    json.begin_object().field("pid", process.pid).field("comm", process.stat.comm).field("fd", held.fd).end_object();
  });
  json.end_array().field("ownerCount", owners);
}

void write_serving(Json& json, const ListenerRow& listener, const RowContext& context) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> serving(listener.serving.begin(), listener.serving.end());
  std::sort(serving.begin(), serving.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  json.key("serving").begin_array();
  for (std::size_t i = 0; i < std::min(kServing, serving.size()); ++i) {
    const ProcessEntry& process = context.processes.at(serving[i].first);
    json.begin_object().field("pid", process.pid).field("ppid", process.stat.ppid).field("comm", process.stat.comm);
    json.field("connections", serving[i].second).end_object();
  }
  json.end_array().field("servingCount", static_cast<std::uint64_t>(serving.size()));
}

void write_listener(Json& json, const ListenerRow& listener, const NetnsSockets& netns, const RowContext& context) {
  const InetSocket& socket = listener.socket;
  json.begin_object();
  json.field("local", endpoint_text(socket.family, socket.local, socket.local_port));
  json.field("port", static_cast<unsigned>(socket.local_port));
  if (const auto found = netns.interfaces.find(socket.interface); found != netns.interfaces.end()) {
    json.field("interface", found->second);
  }
  json.field("cookie", cookie_text(socket.cookie)).field("inode", socket.inode).field("uid", socket.uid);
  json.field("queue", socket.receive_queue).field("backlog", socket.send_queue);
  if (socket.memory.present) json.field("drops", socket.memory.drops());
  json.field("synReceived", listener.syn_received);
  write_owners(json, socket.inode, context);
  json.field("connections", listener.connections);
  write_serving(json, listener, context);
  json.end_object();
}

void write_port_use(Json& json, const PortUseRow& row, const RowContext& context) {
  json.begin_object();
  json.field("source", address_text(row.family, row.source));
  json.field("destination", address_text(row.family, row.destination));
  json.field("destinationPort", static_cast<unsigned>(row.destination_port));
  json.field("inUse", row.in_use).field("timeWait", row.time_wait);
  if (row.process != DescriptorTable::kNone) {
    const ProcessEntry& process = context.processes.at(row.process);
    json.field("pid", process.pid).field("comm", process.stat.comm);
  }
  json.end_object();
}

void write_udp(Json& json, const UdpRow& row, const RowContext& context) {
  const InetSocket& socket = row.socket;
  json.begin_object();
  json.field("local", endpoint_text(socket.family, socket.local, socket.local_port));
  if (socket.remote_port != 0) {
    json.field("remote", endpoint_text(socket.family, socket.remote, socket.remote_port));
  }
  json.field("inode", socket.inode).field("cookie", cookie_text(socket.cookie)).field("uid", socket.uid);
  write_owner(json, socket.inode, context, false);
  json.field("recvQueueBytes", socket.receive_queue).field("sendQueueBytes", socket.send_queue);
  write_memory(json, socket.memory);
  if (row.window_drops) json.field("windowDrops", *row.window_drops);
  json.end_object();
}

void write_unix(Json& json, const UnixRow& row, const RowContext& context) {
  const UnixSocket& socket = row.socket;
  const char* type = socket.type == SOCK_STREAM ? "stream" : socket.type == SOCK_DGRAM ? "dgram" : "seqpacket";
  std::string path = row.name;
  if (!path.empty() && path.front() == '\0') {
    std::replace(path.begin(), path.end(), '\0', '@');  // as ss does: any byte may be part of an abstract name
  } else {
    path.resize(path.find_last_not_of('\0') + 1);
  }
  json.begin_object().field("path", path).field("type", type).field("inode", socket.inode);
  json.field("listening", row.listening()).field("queue", socket.receive_queue);
  if (row.listening()) json.field("backlog", socket.send_queue);
  write_memory(json, socket.memory);
  write_owner(json, socket.inode, context, false);
  json.end_object();
}

void write_pair(Json& json, const LocalPairRow& row, double window_ms, const RowContext& context) {
  const ProcessEntry& client = context.processes.at(row.client);
  const ProcessEntry& server = context.processes.at(row.server);
  json.begin_object();
  json.key("client").begin_object().field("pid", client.pid).field("comm", client.stat.comm).end_object();
  json.key("server").begin_object().field("pid", server.pid).field("comm", server.stat.comm);
  json.field("port", static_cast<unsigned>(row.server_port)).end_object();
  json.field("connections", row.connections).field("bytes", row.bytes).field("segments", row.segments);
  if (row.windowed) json.field("windowMs", window_ms);
  json.end_object();
}

template <typename Rows, typename Write>
void write_rows(Json& json, std::string_view name, const Rows& rows, Write write) {
  json.key(name).begin_array();
  for (const auto& row : rows) write(row);
  json.end_array();
}

void write_totals(Json& json, const NetnsSockets& netns) {
  std::uint64_t total = 0;
  json.key("tcp").begin_object();
  for (std::uint8_t state = 1; state < kTcpStates; ++state) {
    total += netns.tcp[state];
    if (netns.tcp[state] > 0) json.field(tcp_state_name(state), netns.tcp[state]);
  }
  json.end_object();
  json.field("tcpTotal", total).field("udpTotal", netns.udp_total).field("unixTotal", netns.unix_total);
}

}  // namespace

void write_digest(Json& json, const NetnsSockets& netns, const std::vector<LocalPairRow>& pairs, double window_ms,
                  const RowContext& context) {
  json.begin_object();
  write_totals(json, netns);
  write_rows(json, "listeners", netns.listeners, [&](const auto& row) { write_listener(json, row, netns, context); });
  write_rows(json, "ports", netns.ports, [&](const auto& row) { write_port_use(json, row, context); });
  write_rows(json, "connections", netns.connections,
             [&](const auto& row) { write_connection(json, row, netns, context); });
  json.key("pickedCounts").begin_object();
  for (std::uint8_t i = 0; i < kReasons; ++i) {
    if (netns.picked_counts[i] > 0) json.field(reason_name(static_cast<Reason>(i)), netns.picked_counts[i]);
  }
  json.end_object();
  write_rows(json, "udp", netns.udp, [&](const auto& row) { write_udp(json, row, context); });
  write_rows(json, "unix", netns.unix_sockets, [&](const auto& row) { write_unix(json, row, context); });
  write_rows(json, "localPairs", pairs, [&](const auto& row) { write_pair(json, row, window_ms, context); });
  std::uint64_t zero_copy = 0;
  for (const ConnectionRow& row : netns.connections) {
    const auto found = context.options.find(row.socket.cookie);
    if (found != context.options.end() && found->second.zero_copy == true) ++zero_copy;
  }
  if (!context.options.empty()) json.field("zeroCopyUsers", zero_copy);
  json.end_object();
}

}  // namespace sockdoc
