#include "probes/connections/process_pairs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace sockdoc {
namespace {

using Fields = TcpInfoFields;

constexpr std::size_t kMostPorts = 8;

/** So many bytes cost about as much as one segment more. */
constexpr double kBytesPerSegment = 16384;

using Listeners = std::set<std::pair<std::uint32_t, std::uint16_t>>;

Listeners listeners_of(const TableReading& reading) {
  Listeners listeners;
  for (const TableRow& row : reading.rows) {
    if (row.socket.state == kListen) listeners.emplace(row.netns, row.socket.local_port);
  }
  return listeners;
}

/** Of two ends exactly one is the client's: of equal ones that of the lower index. */
bool is_client(const TableReading& reading, std::uint32_t at, const Listeners& listeners) {
  const TableRow& row = reading.rows[at];
  const TableRow& peer = reading.rows[row.peer];
  const bool accepted = listeners.contains({row.netns, row.socket.local_port});
  const bool peer_accepted = listeners.contains({peer.netns, peer.socket.local_port});
  if (accepted != peer_accepted) return peer_accepted;
  return std::tuple(peer.socket.local_port, row.peer) < std::tuple(row.socket.local_port, at);
}

void add(ProcessPair& pair, const RowView& client, const TableRow& server) {
  ++pair.connections;
  pair.by_memory += client.transport().name == "shm" ? 1 : 0;
  pair.several_holders += client.row().owners > 1 || server.owners > 1 ? 1 : 0;
  if (pair.ports.size() < kMostPorts) pair.ports.insert(server.socket.local_port);
  if (const auto mss = client.number(&Fields::snd_mss)) {
    pair.mss = std::max(pair.mss, static_cast<std::uint32_t>(*mss));
  }
  if (const auto rtt = client.rtt_us()) {
    pair.rtt_us += *rtt;
    ++pair.timed;
  }
  if (!client.has_rates()) return;
  ++pair.windowed;
  const ConnectionCounters& moved = client.activity().moved;
  pair.to_server.bytes += client.send_bps().value_or(0) / 8;
  pair.to_client.bytes += client.receive_bps().value_or(0) / 8;
  pair.to_server.segments += client.per_second(moved.data_segments_out).value_or(0);
  pair.to_client.segments += client.per_second(moved.data_segments_in).value_or(0);
}

double weight(const ProcessPair& pair) {
  return pair.to_server.segments + pair.to_client.segments +
         (pair.to_server.bytes + pair.to_client.bytes) / kBytesPerSegment;
}

void write_flow(Json& json, std::string_view name, const PairFlow& flow) {
  json.key(name).begin_object().field("bytesPerS", std::round(flow.bytes));
  json.field("segmentsPerS", std::round(flow.segments * 10) / 10).end_object();
}

}  // namespace

std::vector<ProcessPair> process_pairs(const TableReading& reading) {
  const Listeners listeners = listeners_of(reading);
  std::map<std::pair<std::uint32_t, std::uint32_t>, ProcessPair> pairs;
  for (std::uint32_t at = 0; at < reading.rows.size(); ++at) {
    const TableRow& row = reading.rows[at];
    if (row.peer == TableRow::kNone || !is_client(reading, at, listeners)) continue;
    const RowView view(reading, row);
    const TableRow& server = reading.rows[row.peer];
    if (row.first_held == DescriptorTable::kNone || server.first_held == DescriptorTable::kNone) continue;
    const std::pair key(reading.descriptors.at(row.first_held).process,
                        reading.descriptors.at(server.first_held).process);
    ProcessPair& pair = pairs[key];
    std::tie(pair.client, pair.server) = key;
    add(pair, view, server);
  }
  std::vector<ProcessPair> sorted;
  sorted.reserve(pairs.size());
  for (auto& [key, pair] : pairs) sorted.push_back(std::move(pair));
  std::stable_sort(sorted.begin(), sorted.end(), [](const ProcessPair& a, const ProcessPair& b) {
    return std::tuple(weight(a), a.connections) > std::tuple(weight(b), b.connections);
  });
  return sorted;
}

void write_pair(Json& json, const ProcessPair& pair, const TableReading& reading) {
  json.begin_object().field("client", reading.processes.at(pair.client).pid);
  json.field("server", reading.processes.at(pair.server).pid).key("ports").begin_array();
  for (const std::uint16_t port : pair.ports) json.value(unsigned{port});
  json.end_array().field("connections", pair.connections).field("byMemory", pair.by_memory);
  json.field("severalHolders", pair.several_holders);
  if (pair.mss > 0) json.field("mssBytes", pair.mss);
  if (pair.timed > 0) json.field("rttUs", std::round(pair.rtt_us / static_cast<double>(pair.timed)));
  if (pair.windowed > 0) {
    write_flow(json, "toServer", pair.to_server);
    write_flow(json, "toClient", pair.to_client);
  }
  json.end_object();
}

}  // namespace sockdoc
