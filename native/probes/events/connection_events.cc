#include "probes/events/connection_events.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "base/netns.h"
#include "probes/sockets/netns_sockets.h"

namespace sockdoc {
namespace {

// Between two looks while events come: a wake-up per event would cost more than the event.
constexpr int kPauseMs = 20;
constexpr std::size_t kRoomForPause = 4096;  // with a smaller buffer it must be emptied sooner

void write_group(Json& json, const EndedGroup& group, bool unseen_known) {
  if (group.key.side == Side::kUnknown) return;
  json.begin_object().field("side", group.key.side == Side::kAccepting ? "accepting" : "connecting");
  if (group.key.pid != 0) json.field("pid", group.key.pid);
  if (!group.comm.empty()) json.field("comm", group.comm);
  json.field("port", unsigned{group.key.port}).field("count", group.sums.count);
  if (unseen_known) json.field("unseen", group.sums.unseen);
  json.field("bytesSent", group.sums.sent).field("bytesReceived", group.sums.received).end_object();
}

void write_ended(Json& json, const EndedNow& now) {
  json.field("ended", now.table.total().count);
  if (now.unseen_known) json.field("unseen", now.table.total().unseen);
  json.field("lost", now.lost).key("groups").begin_array();
  for (const EndedGroup& group : now.table.groups()) write_group(json, group, now.unseen_known);
  json.end_array();
}

}  // namespace

std::string ConnectionEvents::start(const std::vector<std::string>& netns) {
  const std::lock_guard lock(mutex_);
  end_thread();
  namespaces_.clear();
  Gaps gaps;
  for (const std::string& path : netns) open(path, gaps);
  began_ms_ = monotonic_ms();
  if (!namespaces_.empty()) {
    stop_ = Fd(::eventfd(0, EFD_CLOEXEC));
    thread_ = std::thread([this, stop = stop_.get()] { run(stop); });
  }
  Json json;
  json.begin_object().key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

void ConnectionEvents::open(const std::string& path, Gaps& gaps) {
  std::string id;
  std::optional<Error> failure;
  const Status entered = in_netns(path, false, [&] {
    if (const auto own = netns_id("")) id = std::to_string(*own);
    const auto same = [&](const auto& other) { return other->id() == id; };
    if (std::any_of(namespaces_.begin(), namespaces_.end(), same)) return;
    auto netns = NetnsEvents::open(path, id);
    if (netns) {
      namespaces_.push_back(std::move(*netns));
    } else {
      failure = netns.error();
    }
  });
  if (!entered) failure = entered.error();
  if (failure) gaps.add_errno("events", failure->what, failure->code, entered ? "CAP_NET_ADMIN" : "CAP_SYS_ADMIN");
}

void ConnectionEvents::run(int stop) const {
  std::vector<pollfd> sources{{stop, POLLIN, 0}};
  int pause = kPauseMs;
  for (const auto& netns : namespaces_) {
    sources.push_back({netns->fd(), POLLIN, 0});
    if (netns->room() < kRoomForPause) pause = 1;
  }
  for (;;) {
    const int ready = ::poll(sources.data(), sources.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    if (sources[0].revents != 0) return;
    for (std::size_t i = 1; i < sources.size(); ++i) {
      if (sources[i].revents != 0) namespaces_[i - 1]->drain();
    }
    if (::poll(sources.data(), 1, pause) > 0) return;
  }
}

std::string ConnectionEvents::read() {
  const std::lock_guard lock(mutex_);
  const double now = monotonic_ms();
  Json json;
  json.begin_object().field("source", "destroy-events").field("windowMs", now - began_ms_).key("netns").begin_array();
  for (const auto& netns : namespaces_) {
    json.begin_object().field("path", netns->path()).field("id", netns->id());
    write_ended(json, netns->take({}));
    json.end_object();
  }
  json.end_array().key("gaps").begin_array().end_array().end_object();
  began_ms_ = now;
  return json.take();
}

void ConnectionEvents::stop() {
  const std::lock_guard lock(mutex_);
  end_thread();
  namespaces_.clear();
}

void ConnectionEvents::end_thread() {
  if (!thread_.joinable()) return;
  const std::uint64_t once = 1;
  (void)!::write(stop_.get(), &once, sizeof once);
  thread_.join();
  stop_.reset();
}

}  // namespace sockdoc
