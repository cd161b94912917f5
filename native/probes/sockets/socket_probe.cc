#include "probes/sockets/socket_probe.h"

#include <unordered_set>

#include "base/netns.h"
#include "probes/sockets/local_pairs.h"
#include "probes/sockets/process_json.h"
#include "probes/sockets/socket_options.h"
#include "probes/sockets/sockets_json.h"

namespace sockdoc {
namespace {

constexpr std::size_t kThreads = 8192;
constexpr std::size_t kOptionRows = 100;
constexpr std::size_t kPairRows = 50;
constexpr int kInheritableSockets = 256;
constexpr int kSelectLimit = 1024;  // FD_SETSIZE

/** One reading under way. */
class Reading {
 public:
  Reading(const SocketsRequest& request, const std::map<std::string, std::shared_ptr<ConnectionBase>>& bases)
      : request_(request),
        started_ms_(monotonic_ms()),
        processes_(ProcessTable::read(request.pids, request.self_pids, gaps_)),
        descriptors_(DescriptorTable::read(processes_, gaps_)) {
    for (const std::string& path : request.netns) read_netns(path, bases);
    note_ownerless();
    if (request.rows) options_ = read_options_of_rows(namespaces_, processes_, descriptors_, kOptionRows, gaps_);
  }

  [[nodiscard]] const std::vector<NetnsSockets>& namespaces() const { return namespaces_; }

  /** Processes whose descriptors go beyond what select() can watch. */
  [[nodiscard]] std::vector<int> beyond_select() const {
    std::vector<int> pids;
    for (const ProcessEntry& process : processes_.all()) {
      if (process.highest >= kSelectLimit && !process.self) pids.push_back(process.pid);
    }
    return pids;
  }

  std::string write(const std::vector<SelectSample>* selects) {
    Json json;
    json.begin_object().field("monotonicMs", started_ms_);
    write_namespaces(json);
    write_host(json);
    json.key("observed").begin_object();
    if (selects != nullptr) write_selects(json, *selects);
    json.end_object().key("gaps");
    gaps_.write(json);
    json.end_object();
    return json.take();
  }

 private:
  void read_netns(const std::string& path, const std::map<std::string, std::shared_ptr<ConnectionBase>>& bases) {
    const ConnectionBase* base = nullptr;
    if (const auto id = netns_id(path)) {
      if (already_read(path, std::to_string(*id))) return;
      if (const auto found = bases.find(std::to_string(*id)); found != bases.end()) base = found->second.get();
    }
    namespaces_.push_back(read_netns_sockets({path, request_.rows}, processes_, descriptors_, base, gaps_));
    const NetnsSockets& netns = namespaces_.back();
    window_ms_.push_back(base != nullptr && netns.read ? netns.at_ms - base->at_ms() : 0);
  }

  /** One namespace under two paths is read once: its sockets would count twice for their processes. */
  bool already_read(const std::string& path, const std::string& id) {
    for (const NetnsSockets& netns : namespaces_) {
      if (netns.id != id) continue;
      NetnsSockets again;
      again.path = path;
      again.id = id;
      namespaces_.push_back(std::move(again));
      window_ms_.push_back(0);
      return true;
    }
    return false;
  }

  void note_ownerless() {
    std::uint64_t ownerless = 0;
    for (const NetnsSockets& netns : namespaces_) ownerless += netns.ownerless_listeners;
    if (ownerless == 0) return;
    gaps_.add({"sockets", "the processes of some sockets",
               "not visible: of another user or PID namespace, held by the kernel, or opened meanwhile", "",
               ownerless});
  }

  void write_namespaces(Json& json) {
    const RowContext context{processes_, descriptors_, options_};
    const auto pairs = local_pairs(namespaces_, descriptors_, kPairRows);
    json.key("netns").begin_array();
    for (std::size_t i = 0; i < namespaces_.size(); ++i) {
      const NetnsSockets& netns = namespaces_[i];
      json.begin_object().field("path", netns.path);
      if (!netns.id.empty()) json.field("id", netns.id);
      if (netns.read) {
        json.key("sockets");
        write_digest(json, netns, pairs[i], window_ms_[i], context);
      }
      json.end_object();
    }
    json.end_array();
  }

  void write_host(Json& json) {
    ThreadReader threads(kThreads, gaps_);
    std::map<std::uint32_t, std::uint64_t> watches;
    const std::unordered_set<std::uint32_t> listeners = listener_inodes();
    json.key("host").begin_object().key("processes").begin_array();
    for (std::uint32_t i = 0; i < processes_.all().size(); ++i) {
      const ProcessEntry& process = processes_.at(i);
      if (!process.reported()) continue;
      const ProcessRow row = row_of(i, process, threads, listeners);
      if (!row.details.uid) continue;  // it has ended meanwhile
      for (const EpollRow& set : row.epoll_sets.value_or(std::vector<EpollRow>())) {
        watches[row.details.uid.value_or(0)] += set.watches;
      }
      write_process(json, row);
    }
    json.end_array().key("threads").begin_array();
    for (const ThreadRow& thread : threads.rows()) write_thread(json, thread);
    json.end_array();
    threads.finish();
    if (request_.rows) {
      json.key("epollWatches").begin_object();
      for (const auto& [uid, count] : watches) json.field(std::to_string(uid), count);
      json.end_object();
    }
    json.end_object();
  }

  ProcessRow row_of(std::uint32_t index, const ProcessEntry& process, ThreadReader& threads,
                    const std::unordered_set<std::uint32_t>& listeners) {
    ProcessRow row{process, read_details(process.pid), {}, std::nullopt, std::nullopt};
    if (process.has_internet_sockets() || process.asked) row.sums = threads.read(process);
    if (!request_.rows || !process.descriptors_read) return row;
    if (process.children > 0) row.inheritable = inheritable_sockets(process, descriptors_, kInheritableSockets);
    if (process.listens()) row.epoll_sets = read_epoll_sets(index, process, descriptors_, listeners, gaps_);
    return row;
  }

  [[nodiscard]] std::unordered_set<std::uint32_t> listener_inodes() const {
    std::unordered_set<std::uint32_t> inodes;
    for (const NetnsSockets& netns : namespaces_) {
      for (const ListenerRow& listener : netns.listeners) inodes.insert(listener.socket.inode);
    }
    return inodes;
  }

  static void write_selects(Json& json, const std::vector<SelectSample>& selects) {
    json.key("selects").begin_array();
    for (const SelectSample& sample : selects) {
      json.begin_object().field("pid", sample.pid).field("tid", sample.tid).field("comm", sample.comm);
      json.field("nfds", sample.nfds).field("samples", sample.samples).end_object();
    }
    json.end_array();
  }

  const SocketsRequest& request_;
  Gaps gaps_;
  double started_ms_;
  ProcessTable processes_;
  DescriptorTable descriptors_;
  std::vector<NetnsSockets> namespaces_;
  std::vector<double> window_ms_;
  std::unordered_map<std::uint64_t, SocketOptions> options_;
};

}  // namespace

std::string SocketProbe::read(const SocketsRequest& request) {
  const std::lock_guard reading(reading_);
  std::vector<SelectSample> selects;
  bool sampled = false;
  {
    const std::lock_guard sampling(sampling_);
    selects = sampler_.stop();
    sampled = std::exchange(sampled_, false);
  }
  Reading now(request, bases_);
  std::string text = now.write(sampled ? &selects : nullptr);
  for (const NetnsSockets& netns : now.namespaces()) {
    if (netns.read) bases_[netns.id] = netns.base;
  }
  if (request.sample_select) {
    const std::lock_guard sampling(sampling_);
    sampler_.start(now.beyond_select());
    sampled_ = true;
  }
  return text;
}

void SocketProbe::close() {
  const std::lock_guard sampling(sampling_);
  sampler_.stop();
}

}  // namespace sockdoc
