#include <unistd.h>

#include <algorithm>

#include "abi/reasons.h"
#include "monitor/registry.h"
#include "probes/sockets/sockets_json.h"

namespace sockdoc::monitor {
namespace {

constexpr std::size_t kMaxKept = 1000;
constexpr std::size_t kMaxEnds = 65536;

bool by_memory(const SocketEnd& end) {
  return end.outcome == abi::Outcome::shared && end.reported == abi::Reason::none;
}

/** What has gone by memory since the connection got it, also where it is on the kernel by now. */
void write_carried(Json& json, const Connection& connection, unsigned side) {
  const auto carried = connection.slab->carried(connection.place.slot);
  // Counts that no reader of JSON can hold are none that an honest process wrote.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 53;
  if (!carried || carried->sent[side] > kMost || carried->received[1 - side] > kMost) return;
  json.field("sentBytes", carried->sent[side]).field("receivedBytes", carried->received[1 - side]);
}

abi::Reason reason_of(const SocketEnd& end) { return end.outcome == abi::Outcome::shared ? end.reported : end.reason; }

}  // namespace

void Registry::write_status(Json& json, uid_t viewer) const {
  const auto visible = [&](const Process& process) {
    return viewer == 0 || viewer == ::geteuid() || viewer == process.identity.uid();
  };
  std::vector<const Process*> shown;
  for (const auto& [pid, process] : by_pid_) {
    if (visible(*process)) shown.push_back(process.get());
  }
  std::sort(shown.begin(), shown.end(), [](const Process* a, const Process* b) { return a->pid < b->pid; });
  json.key("clients").begin_array();
  for (const Process* process : shown) {
    json.begin_object().field("pid", process->pid).field("comm", process->comm);
    json.field("uid", std::uint64_t{process->identity.uid()}).field("connections", std::uint64_t{process->ends.size()});
    json.end_object();
  }
  json.end_array();

  std::uint64_t by_ring = 0;
  std::uint64_t by_kernel = 0;
  for (const auto& [key, end] : ends_) {
    if (end->connection != nullptr && end->connection->ends[1 - end->side] == nullptr) continue;  // it is ending
    const SocketEnd* peer = end->connection != nullptr ? end->connection->ends[1 - end->side] : peer_of(*end);
    if (peer != nullptr && std::pair(peer->netns, peer->cookie) < key) continue;  // counted with its peer
    const bool ring = by_memory(*end) && (peer == nullptr || by_memory(*peer));
    ++(ring ? by_ring : by_kernel);
  }
  json.key("connections").begin_object();
  json.field("kernel", by_kernel).field("shm", by_ring).field("rdma", 0).end_object();

  std::uint64_t bytes = 0;
  for (const auto& [id, slab] : slabs_) bytes += slab->used_bytes();
  json.field("memoryBytes", bytes).field("slabs", std::uint64_t{slabs_.size()}).field("denied", denied_);
  json.field("resets", resets_);
  json.key("policy").begin_object();
  if (!policy_.path.empty()) json.field("path", policy_.path);
  json.field("rules", std::uint64_t{policy_.rules.size()}).end_object();
  write_kept(json, visible);
  write_ends(json, visible);
}

/** What carries each connection, by the cookie of the socket: for those who have read the sockets themselves. */
void Registry::write_ends(Json& json, const std::function<bool(const Process&)>& visible) const {
  std::size_t listed = 0;
  json.key("ends").begin_array();
  for (const auto& [key, end] : ends_) {
    if (end->holders.empty() || !visible(*end->holders.front().process) || ++listed > kMaxEnds) continue;
    json.begin_object().field("cookie", cookie_text(end->cookie));
    const SocketEnd* peer = end->connection != nullptr ? end->connection->ends[1 - end->side] : nullptr;
    const bool ring = by_memory(*end) && peer != nullptr && by_memory(*peer);
    json.field("transport", ring ? "shm" : "kernel");
    abi::Reason reason = reason_of(*end);
    if (reason == abi::Reason::none) reason = peer != nullptr ? reason_of(*peer) : abi::Reason::peer_gone;
    if (!ring) json.field("reason", abi::reason_text(reason));
    if (end->connection != nullptr) write_carried(json, *end->connection, end->side);
    json.end_object();
  }
  json.end_array();
}

/** The ends that stay on the kernel, with the reason: all counted, the first ones listed. */
void Registry::write_kept(Json& json, const std::function<bool(const Process&)>& visible) const {
  std::map<std::string, std::uint64_t> reasons;
  std::size_t listed = 0;
  json.key("kept").begin_array();
  for (const auto& [key, end] : ends_) {
    if (by_memory(*end) || end->holders.empty()) continue;
    const std::string reason = abi::reason_text(reason_of(*end));
    ++reasons[reason];
    const Holder& holder = end->holders.front();
    if (!visible(*holder.process) || ++listed > kMaxKept) continue;
    const TcpTuple& tuple = end->tuple;
    json.begin_object().field("pid", holder.process->pid).field("comm", holder.process->comm);
    json.field("fd", holder.claim.fd).field("local", endpoint_text(tuple.family, tuple.local, tuple.local_port));
    json.field("remote", endpoint_text(tuple.family, tuple.remote, tuple.remote_port)).field("reason", reason);
    json.end_object();
  }
  json.end_array();
  json.key("reasons").begin_object();
  for (const auto& [reason, count] : reasons) json.field(reason, count);
  json.end_object();
}

}  // namespace sockdoc::monitor
