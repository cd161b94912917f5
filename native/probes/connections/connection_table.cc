#include "probes/connections/connection_table.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_set>

#include "base/netns.h"
#include "probes/connections/peers.h"
#include "probes/connections/process_pairs.h"
#include "probes/connections/row_json.h"
#include "probes/connections/table_reader.h"
#include "probes/connections/table_totals.h"
#include "probes/sockets/netns_sockets.h"
#include "probes/sockets/process_json.h"

namespace sockdoc {
namespace {

constexpr std::size_t kBytesPerRow = 1024;  // of JSON, to begin with

/** The descriptor that is shown: of the first process that holds it, or of the first of those asked for. */
std::uint32_t shown_holder(const TableReading& reading, const TableRow& row, const std::unordered_set<int>& pids) {
  std::uint32_t at = row.first_held;
  if (pids.empty()) return at;
  while (at != DescriptorTable::kNone && !pids.contains(reading.processes.at(reading.descriptors.at(at).process).pid)) {
    at = reading.descriptors.at(at).next;
  }
  return at;
}

struct Chosen {
  std::vector<Rank> ranks;
  std::size_t matching = 0;
};

Chosen choose(TableReading& reading, const ConnectionSelection& selection) {
  const std::unordered_set<int> pids(selection.pids.begin(), selection.pids.end());
  const std::unordered_set<std::uint64_t> keep(selection.keep.begin(), selection.keep.end());
  Chosen chosen;
  std::vector<std::uint32_t> kept;
  for (std::uint32_t i = 0; i < reading.rows.size(); ++i) {
    TableRow& row = reading.rows[i];
    row.held = shown_holder(reading, row, pids);
    const bool asked = pids.empty() || row.held != DescriptorTable::kNone;
    if (!asked) row.held = row.first_held;
    if (!keep.empty() && keep.contains(row.socket.cookie)) kept.push_back(i);
    if (!asked) continue;
    const RowView view(reading, row);
    if (matches(selection.filter, view)) chosen.ranks.push_back(rank_of(selection.sort, i, view));
  }
  chosen.matching = chosen.ranks.size();
  order(chosen.ranks, selection.reverse, selection.limit, reading.rows);
  for (const std::uint32_t row : kept) {
    const bool there =
        std::any_of(chosen.ranks.begin(), chosen.ranks.end(), [&](const Rank& r) { return r.row == row; });
    if (!there) chosen.ranks.push_back({row, 0, 0});
  }
  return chosen;
}

std::string write_rows(const TableReading& reading, const std::vector<Rank>& ranks, bool row_per_line) {
  std::string text;
  text.reserve(ranks.size() * kBytesPerRow + 16);
  text += '[';
  for (const Rank& rank : ranks) {
    if (text.size() > 1) text += ',';
    if (row_per_line) text += '\n';
    Json json(std::move(text));
    write_row(json, RowView(reading, reading.rows[rank.row]));
    text = json.take();
  }
  if (row_per_line && !ranks.empty()) text += '\n';
  text += ']';
  return text;
}

}  // namespace

/** What stays between two readings. */
struct ConnectionTable::State {
  TableReading reading;
  TableTotals totals;
  OwnerCache owners;
  ContainerCache containers;
  std::map<std::string, TableBases> bases;               // by namespace id
  std::vector<std::shared_ptr<ConnectionBase>> pointed;  // rows point into these
  double started_ms = 0;
  bool read = false;

  void take_namespaces(const ConnectionsRequest& request, OtherSockets* others, Gaps& gaps);
  void join(const ConnectionsRequest& request, const OtherSockets& others, Gaps& gaps);
  void count(const std::vector<std::uint32_t>& inodes, std::uint32_t ProcessEntry::*counter);
  void note_ownerless(Gaps& gaps) const;
  ConnectionsAnswer answer(const ConnectionSelection& selection, const ConnectionsRequest* request, Gaps& gaps);
  void write_totals(Json& json, std::size_t matching) const;
  void write_pairs(Json& json, std::size_t limit) const;
  void write_processes(Json& json, const ConnectionsRequest& request, Gaps& gaps) const;
};

void ConnectionTable::State::take_namespaces(const ConnectionsRequest& request, OtherSockets* others, Gaps& gaps) {
  std::map<std::string, TableBases> next;
  pointed.clear();
  reading.transports = request.transports;
  for (const auto& [path, label] : request.netns) {
    const auto number = netns_id(path);
    const std::string id = number ? std::to_string(*number) : path;
    if (next.contains(id)) continue;  // the same under another path
    const auto index = static_cast<std::uint32_t>(reading.netns.size());
    TableNetns& netns = reading.netns.emplace_back();
    netns.path = path;
    netns.label = label;
    netns.id = id;
    const TableBases& before = bases[id];
    auto base = read_table_netns(reading, index, before, others, gaps);
    if (before.last) pointed.push_back(before.last);
    if (reading.netns[index].read) next[id] = {std::move(base), before.last};
  }
  bases = std::move(next);
}

void ConnectionTable::State::join(const ConnectionsRequest& request, const OtherSockets& others, Gaps& gaps) {
  reading.processes = ProcessTable::read({}, request.self_pids, gaps);
  std::vector<std::uint32_t> inodes;
  inodes.reserve(reading.rows.size() + others.udp.size() + others.unix_sockets.size());
  for (const TableRow& row : reading.rows) inodes.push_back(row.socket.inode);
  inodes.insert(inodes.end(), others.udp.begin(), others.udp.end());
  inodes.insert(inodes.end(), others.unix_sockets.begin(), others.unix_sockets.end());
  reading.descriptors = owners.refresh(reading.processes, std::move(inodes), started_ms);
  join_peers(reading);
  totals = TableTotals::of(reading);
  count(others.udp, &ProcessEntry::udp);
  count(others.unix_sockets, &ProcessEntry::unix_sockets);
  reading.containers.assign(reading.processes.all().size(), {});
  for (std::size_t i = 0; i < reading.containers.size(); ++i) {
    const ProcessEntry& process = reading.processes.all()[i];
    if (process.has_internet_sockets()) reading.containers[i] = containers.of(process, request.container_names);
  }
}

void ConnectionTable::State::count(const std::vector<std::uint32_t>& inodes, std::uint32_t ProcessEntry::*counter) {
  for (const std::uint32_t inode : inodes) {
    reading.descriptors.for_each_owner(
        inode, [&](const HeldSocket& held) { ++(reading.processes.at(held.process).*counter); });
  }
}

void ConnectionTable::State::note_ownerless(Gaps& gaps) const {
  if (totals.ownerless == 0) return;
  const std::string what = totals.ownerless == 1 ? "the process of one socket"
                                                 : "the processes of " + std::to_string(totals.ownerless) + " sockets";
  if (owners.denied() > 0) {
    gaps.add({"sockets", what, "they are of other users, whose descriptors may not be read",
              "root (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)"});
  } else {
    gaps.add(
        {"sockets", what, "not visible: in another PID namespace, of the kernel, or opened or closed meanwhile", ""});
  }
}

ConnectionsAnswer ConnectionTable::State::answer(const ConnectionSelection& selection,
                                                 const ConnectionsRequest* request, Gaps& gaps) {
  const Chosen chosen = choose(reading, selection);
  Json json;
  const double window = reading.netns.empty() ? 0 : reading.netns.front().window_ms;
  json.begin_object().field("monotonicMs", started_ms).field("windowMs", window);
  if (reading.listed()) write_totals(json, chosen.matching);
  if (request != nullptr && request->pairs > 0) write_pairs(json, request->pairs);
  if (request != nullptr && request->processes) write_processes(json, *request, gaps);
  json.key("gaps");
  gaps.write(json);
  json.end_object();
  return {json.take(), write_rows(reading, chosen.ranks, selection.row_per_line)};
}

void ConnectionTable::State::write_totals(Json& json, std::size_t matching) const {
  json.key("totals").begin_object().field("sockets", std::uint64_t{reading.rows.size()});
  json.key("states").begin_object();
  for (std::uint8_t state = 1; state < kTcpStates; ++state) {
    if (totals.states[state] > 0) json.field(tcp_state_name(state), totals.states[state]);
  }
  json.end_object().field("matching", std::uint64_t{matching});
  totals.all.write(json);
  totals.write_transports(json);
  json.end_object();
}

void ConnectionTable::State::write_pairs(Json& json, std::size_t limit) const {
  const auto pairs = process_pairs(reading);
  json.key("pairs").begin_object().field("all", std::uint64_t{pairs.size()}).key("rows").begin_array();
  for (std::size_t i = 0; i < std::min(pairs.size(), limit); ++i) write_pair(json, pairs[i], reading);
  json.end_array().end_object();
}

void ConnectionTable::State::write_processes(Json& json, const ConnectionsRequest& request, Gaps& gaps) const {
  ThreadReader threads(request.threads, gaps);
  json.key("processes").begin_array();
  for (std::size_t i = 0; i < reading.processes.all().size(); ++i) {
    const ProcessEntry& process = reading.processes.all()[i];
    if (process.sockets == 0) continue;
    ProcessRow row{process, read_details(process.pid), {}, std::nullopt, std::nullopt};
    if (request.threads > 0 && process.has_internet_sockets()) row.sums = threads.read(process);
    json.begin_object().key("process");
    write_process(json, row);
    if (!reading.containers[i].empty()) json.field("container", reading.containers[i]);
    json.key("traffic").begin_object();
    totals.of_process[i].write(json);
    json.end_object();
    if (reading.transports.clients.contains(process.pid)) {
      json.field("underLibsd", true).field("byMemory", totals.shared_of_process[i]);
    }
    json.end_object();
  }
  json.end_array();
  if (request.threads == 0) return;
  json.key("threads").begin_array();
  for (const ThreadRow& thread : threads.rows()) write_thread(json, thread);
  json.end_array();
  threads.finish();
}

ConnectionTable::ConnectionTable() : state_(std::make_unique<State>()) {}
ConnectionTable::~ConnectionTable() = default;

ConnectionsAnswer ConnectionTable::read(const ConnectionsRequest& request) {
  const std::lock_guard reading(reading_);
  Gaps gaps;
  State& state = *state_;
  state.started_ms = monotonic_ms();
  state.reading.rows.clear();  // its memory is used again
  state.reading.netns.clear();
  OtherSockets others;
  state.take_namespaces(request, request.processes ? &others : nullptr, gaps);
  state.join(request, others, gaps);
  state.note_ownerless(gaps);
  state.read = true;
  return state.answer(request.selection, &request, gaps);
}

ConnectionsAnswer ConnectionTable::select(const ConnectionSelection& selection) {
  const std::lock_guard reading(reading_);
  Gaps gaps;
  return state_->read ? state_->answer(selection, nullptr, gaps) : ConnectionsAnswer{};
}

}  // namespace sockdoc
