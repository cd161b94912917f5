#include "probes/descriptors/detail.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <map>

#include "base/procfs.h"
#include "probes/descriptors/fdinfo.h"
#include "probes/descriptors/kinds.h"
#include "probes/descriptors/protocol.h"

namespace sockdoc {
namespace {

/** While the kernel writes what an epoll set watches, the program cannot collect events: 4 ms may come of that. */
constexpr int kMaxWatched = 4096;

struct Row {
  int fd = -1;
  std::string target;
  std::string kind;
  std::uint64_t inode = 0;
  FdInfo info;
  std::optional<std::vector<EpollWatch>> watches;
};

class Detail {
 public:
  Detail(const DetailRequest& request, const ProcessTable& processes, const DescriptorCensus& census,
         const SocketFacts& facts, Gaps& gaps)
      : processes_(processes),
        process_(processes.at(request.process)),
        facts_(facts),
        gaps_(gaps),
        peers_(census, facts, processes, request.process),
        reads_watches_(request.all_watches || process_.open <= kMaxWatched) {}

  void write(Json& json) {
    read_rows();
    json.begin_array();
    for (const Row& row : rows_) write_row(json, row);
    json.end_array();
  }

 private:
  void read_rows() {
    char path[32];
    std::vector<char> target(4096);
    std::snprintf(path, sizeof path, "/proc/%d/fd", process_.pid);
    FolderReader folder(AT_FDCWD, path);
    const bool whole = folder.for_each_number([&](const char* name, int fd) {
      const auto link = read_link(folder.fd(), name, target);
      if (!link) return;  // closed meanwhile
      const DescriptorKind kind = descriptor_kind(*link);
      rows_.push_back({fd, std::string(*link), std::string(kind.name), kind.inode, {}, std::nullopt});
      read_info(rows_.back());
    });
    if ((!folder.valid() || !whole) && errno != ENOENT && errno != ESRCH) {
      gaps_.add_errno("descriptors", "descriptors of process " + std::to_string(process_.pid), errno, "CAP_SYS_PTRACE");
    }
    for (const Row& row : rows_) by_fd_.emplace(row.fd, &row);
    for (const Row& row : rows_) note_watches(row);
  }

  void note_watches(const Row& row) {
    if (!row.watches) return;
    for (const EpollWatch& watch : *row.watches) {
      if (is_stale(watch)) continue;
      if (std::vector<int>& sets = watched_by_[watch.fd]; sets.empty() || sets.back() != row.fd) sets.push_back(row.fd);
    }
  }

  void read_info(Row& row) {
    char path[48];
    std::snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", process_.pid, row.fd);
    if (row.kind == "epoll") {
      if (!reads_watches_) {
        gaps_.add({"descriptors", "what epoll sets watch, and CLOEXEC of these sets",
                   "reading it would hold up a program with more than " + std::to_string(kMaxWatched) + " descriptors",
                   "--watches"});
        return;
      }
      if (auto set = read_epoll(path)) {
        row.info = std::move(set->info);
        row.watches = std::move(set->watches);
        return;
      }
    } else if (const auto text = read_small(AT_FDCWD, path, buffer_)) {
      row.info = parse_fdinfo(*text, row.kind);
      return;
    }
    if (errno != ENOENT && errno != ESRCH) {
      gaps_.add_errno("descriptors", "flags of descriptors (/proc/PID/fdinfo)", errno, "CAP_SYS_PTRACE");
    }
  }

  void write_row(Json& json, const Row& row) {
    const SocketFact* fact = row.kind == "socket" ? facts_.find(row.inode) : nullptr;
    std::string protocol;
    std::string kind = row.kind;
    if (row.kind == "socket") {
      protocol = fact != nullptr ? protocol_of(*fact) : std::string();
      if (protocol.empty()) protocol = socket_protocol(process_.pid, row.fd);
      kind = fact != nullptr ? std::string(kind_of(*fact)) : socket_kind(protocol);
    }
    json.begin_object().field("fd", row.fd).field("kind", kind).field("target", row.target);
    write_flags(json, row);
    if (!protocol.empty()) json.field("protocol", protocol);
    if (fact != nullptr) {
      write_socket(json, *fact);
    } else if (kind == "tcp") {
      write_unshown(json, row);
    }
    if (row.inode != 0) write_links(json, row, fact);
    if (row.watches) write_watches(json, *row.watches);
    write_watched_by(json, row);
    write_extra(json, row);
    json.end_object();
  }

  static void write_flags(Json& json, const Row& row) {
    if (!row.info.flags) return;
    const std::uint64_t flags = *row.info.flags;
    const auto access = flags & O_ACCMODE;
    if (row.inode == 0 || row.kind == "pipe") {
      if ((flags & O_PATH) == 0)
        json.field("access", access == O_RDONLY ? "read" : access == O_WRONLY ? "write" : "both");
    }
    json.field("cloexec", (flags & O_CLOEXEC) != 0).field("nonblock", (flags & O_NONBLOCK) != 0);
  }

  void write_unshown(Json& json, const Row& row) const {
    const auto state = tcp_state_of(process_.pid, row.fd, row.inode);
    if (state) json.field("state", *state == kClose ? std::string_view("unconnected") : tcp_state_name(*state));
  }

  void write_socket(Json& json, const SocketFact& fact) const {
    if (fact.protocol == SocketFact::Protocol::unix_domain) {
      if (const std::string& name = facts_.name(fact); !name.empty()) json.field("local", name);
      write_unix_peer_name(json, fact);
    } else {
      json.field("local", endpoint_text(fact.family, fact.local, fact.local_port));
      if (fact.remote_port != 0) json.field("remote", endpoint_text(fact.family, fact.remote, fact.remote_port));
    }
    if (const std::string_view state = tcp_state_name(fact.state); !state.empty()) json.field("state", state);
    json.field("recvQueueBytes", fact.receive_queue).field("sendQueueBytes", fact.send_queue);
  }

  void write_unix_peer_name(Json& json, const SocketFact& fact) const {
    const SocketFact* peer = fact.peer_inode != 0 ? facts_.find(fact.peer_inode) : nullptr;
    if (peer == nullptr) return;
    if (const std::string& name = facts_.name(*peer); !name.empty()) json.field("remote", name);
  }

  void write_links(Json& json, const Row& row, const SocketFact* fact) const {
    const bool is_pipe = row.kind == "pipe";
    if (is_pipe && !row.info.flags) return;
    const DescriptorLinks links = is_pipe ? peers_.of_pipe(row.inode, static_cast<int>(*row.info.flags & O_ACCMODE))
                                          : peers_.of_socket(fact, row.inode);
    if (links.peer != nullptr) {
      const ProcessEntry& other = processes_.at(links.peer->process);
      json.key("peer").begin_object().field("pid", other.pid).field("comm", other.stat.comm);
      json.field("fd", links.peer->fd).end_object();
    }
    if (links.peers && *links.peers != 1) json.field("peers", *links.peers);
    if (links.shared.empty()) return;
    json.key("sharedWith").begin_array();
    for (const std::uint32_t index : links.shared) json.value(processes_.at(index).pid);
    json.end_array();
  }

  void write_watches(Json& json, const std::vector<EpollWatch>& watches) const {
    json.key("watches").begin_array();
    for (const EpollWatch& watch : watches) {
      json.begin_object().field("fd", watch.fd).key("events").begin_array();
      for (const std::string_view name : event_names(watch.events)) json.value(name);
      json.end_array();
      if (is_stale(watch)) json.field("stale", true);
      json.end_object();
    }
    json.end_array();
  }

  /** The descriptor of that number is gone, or refers to another file. Kernels before 5.14 do not tell the file. */
  [[nodiscard]] bool is_stale(const EpollWatch& watch) const {
    const auto found = by_fd_.find(watch.fd);
    if (found == by_fd_.end()) return true;
    const auto& inode = found->second->info.inode;
    return inode && *inode != watch.inode;
  }

  void write_watched_by(Json& json, const Row& row) const {
    const auto found = watched_by_.find(row.fd);
    if (found == watched_by_.end()) return;
    json.key("watchedBy").begin_array();
    for (const int set : found->second) json.value(set);
    json.end_array();
  }

  static void write_extra(Json& json, const Row& row) {
    if (row.info.extra.empty() || row.kind == "socket") return;
    json.key("info").begin_object();
    for (const auto& [key, value] : row.info.extra) json.field(key, value);
    json.end_object();
  }

  const ProcessTable& processes_;
  const ProcessEntry& process_;
  const SocketFacts& facts_;
  Gaps& gaps_;
  PeerFinder peers_;
  bool reads_watches_;
  std::vector<Row> rows_;
  std::map<int, const Row*> by_fd_;
  std::map<int, std::vector<int>> watched_by_;
  char buffer_[4096];
};

}  // namespace

void write_detail(Json& json, const DetailRequest& request, const ProcessTable& processes,
                  const DescriptorCensus& census, const SocketFacts& facts, Gaps& gaps) {
  Detail(request, processes, census, facts, gaps).write(json);
}

}  // namespace sockdoc
