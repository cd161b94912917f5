#include "probes/events/connection_events.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/netns.h"
#include "probes/sockets/netns_sockets.h"

namespace sockdoc {
namespace {

// Between two looks while events come: a wake-up per event would cost more than the event.
constexpr int kPauseMs = 20;
constexpr std::size_t kRoomForPause = 4096;  // with a smaller buffer it must be emptied sooner

constexpr const char* kNeeds = "CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN";
constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO

/** Why the processes that connect are not known. */
void add_bpf_gap(Gaps& gaps, const Error& error) {
  constexpr const char* kWhat = "the processes that connect";
  switch (error.code) {
    case EPERM:
    case EACCES:
      return gaps.add({"events", kWhat, "no permission for BPF", kNeeds});
    case ENOSYS:
      return gaps.add({"events", kWhat, "kernel without BPF", ""});
    case ENOENT:
      return gaps.add({"events", kWhat, "kernel without type information (BTF)", ""});
    case EOPNOTSUPP:
      return gaps.add({"events", kWhat, "this kernel's tracepoint sock:inet_sock_set_state is not known here", ""});
    default:
      return gaps.add({"events", kWhat, error.message(), ""});
  }
}

/** The kernel numbers processes as the initial PID namespace does. */
bool pids_are_ours() {
  struct stat info {};
  return ::stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == kInitialPidNamespace;
}

void write_group(Json& json, const EndedGroup& group, bool pids) {
  json.begin_object().field("side", group.key.side == Side::kAccepting ? "accepting" : "connecting");
  if (pids && group.key.pid != 0) json.field("pid", group.key.pid);
  if (group.key.pid != 0 && !group.comm.empty()) json.field("comm", group.comm);
  json.field("port", unsigned{group.key.port}).field("count", group.sums.count);
  json.field("bytesSent", group.sums.sent).field("bytesReceived", group.sums.received).end_object();
}

void write_ended(Json& json, const EndedNow& now, bool pids) {
  json.field("ended", now.total.count);
  if (now.unseen_known) json.field("unseen", now.total.unseen);
  json.field("failed", now.failed).field("lost", now.lost).key("groups").begin_array();
  for (const EndedGroup& group : now.groups) write_group(json, group, pids);
  json.end_array();
}

}  // namespace

std::string ConnectionEvents::start(const EventsRequest& request) {
  const std::lock_guard lock(mutex_);
  end();
  if (!request.destroy_events_only) {
    auto transitions = Transitions::attach();
    if (transitions) {
      transitions_.emplace(std::move(*transitions));
    } else {
      add_bpf_gap(gaps_, transitions.error());
    }
  }
  for (const std::string& path : request.netns) open(path);
  began_ms_ = monotonic_ms();
  if (!transitions_ && !namespaces_.empty()) start_thread();
  Json json;
  json.begin_object().key("gaps");
  gaps_.write(json);
  json.end_object();
  return json.take();
}

void ConnectionEvents::open(const std::string& path) {
  Watched netns{path, {}, nullptr};
  Status opened = Done{};
  const Status entered = in_netns(path, false, [&] {
    if (const auto own = netns_id("")) netns.id = std::to_string(*own);
    const auto same = [&](const Watched& other) { return other.id == netns.id; };
    if (std::any_of(namespaces_.begin(), namespaces_.end(), same)) return;
    opened = open_inside(netns);
    if (opened) namespaces_.push_back(std::move(netns));
  });
  if (!entered) gaps_.add_errno("events", entered.error().what, entered.error().code, "CAP_SYS_ADMIN");
  if (!opened) gaps_.add_errno("events", opened.error().what, opened.error().code, "CAP_NET_ADMIN");
}

Status ConnectionEvents::open_inside(Watched& netns) {
  if (!transitions_) {
    auto events = NetnsEvents::open();
    if (!events) return events.error();
    netns.events = std::move(*events);
    return Done{};
  }
  auto queries = NetlinkSocket::open(NETLINK_SOCK_DIAG);
  if (!queries) return queries.error();
  const auto listening = listening_ports(*queries);
  if (!listening) return listening.error();
  return transitions_->watch(static_cast<std::uint32_t>(std::stoull(netns.id)), **listening);
}

void ConnectionEvents::start_thread() {
  stop_ = Fd(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this, stop = stop_.get()] { run(stop); });
}

void ConnectionEvents::run(int stop) const {
  std::vector<pollfd> sources{{stop, POLLIN, 0}};
  int pause = kPauseMs;
  for (const Watched& netns : namespaces_) {
    sources.push_back({netns.events->fd(), POLLIN, 0});
    if (netns.events->room() < kRoomForPause) pause = 1;
  }
  for (;;) {
    const int ready = ::poll(sources.data(), sources.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    if (sources[0].revents != 0) return;
    for (std::size_t i = 1; i < sources.size(); ++i) {
      if (sources[i].revents != 0) namespaces_[i - 1].events->drain();
    }
    if (::poll(sources.data(), 1, pause) > 0) return;
  }
}

std::string ConnectionEvents::read() {
  const std::lock_guard lock(mutex_);
  const double now = monotonic_ms();
  const bool pids = pids_are_ours();
  auto ended = transitions_ ? transitions_->take() : std::map<std::uint32_t, EndedNow>();
  Json json;
  json.begin_object().field("source", transitions_ ? "tracepoint" : "destroy-events");
  json.field("windowMs", now - began_ms_).key("netns").begin_array();
  for (const Watched& netns : namespaces_) {
    json.begin_object().field("path", netns.path).field("id", netns.id);
    write_ended(json, netns.events ? netns.events->take() : ended[static_cast<std::uint32_t>(std::stoull(netns.id))],
                pids);
    json.end_object();
  }
  json.end_array().key("gaps");
  gaps_.write(json);
  json.end_object();
  began_ms_ = now;
  return json.take();
}

void ConnectionEvents::stop() {
  const std::lock_guard lock(mutex_);
  end();
}

void ConnectionEvents::end() {
  if (thread_.joinable()) {
    const std::uint64_t once = 1;
    (void)!::write(stop_.get(), &once, sizeof once);
    thread_.join();
    stop_.reset();
  }
  namespaces_.clear();
  transitions_.reset();
  gaps_ = Gaps();
}

}  // namespace sockdoc
