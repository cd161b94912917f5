#include "probes/events/netns_events.h"

#include <linux/netlink.h>

namespace sockdoc {
namespace {

constexpr std::size_t kMaxGroups = 4096;
constexpr std::size_t kMaxWaiting = 65'536;  // 1.5 MiB

/**
 * Tells the ends of connections whose listener is not known here: that of another host, or one that came and went
 * between two looks. Its port is the one that more sockets share, and among equals the lower: connect() chooses high
 * ones.
 */
class PortUse {
 public:
  void add(const EndedSocket& socket) {
    if (sockets_.empty()) sockets_.resize(65536);
    ++sockets_[socket.local_port];
    ++sockets_[socket.remote_port];
  }

  [[nodiscard]] EndedKey key_of(const EndedSocket& socket) const {
    const auto use = [&](std::uint16_t port) { return std::pair(sockets_[port], -int{port}); };
    return use(socket.local_port) > use(socket.remote_port) ? EndedKey{Side::kAccepting, socket.local_port}
                                                            : EndedKey{Side::kConnecting, socket.remote_port};
  }

 private:
  std::vector<std::uint32_t> sockets_;  // by port
};

}  // namespace

Result<std::unique_ptr<NetnsEvents>> NetnsEvents::open() {
  auto queries = NetlinkSocket::open(NETLINK_SOCK_DIAG);
  if (!queries) return queries.error();
  auto events = DestroySocket::open();
  if (!events) return events.error();
  std::unique_ptr<NetnsEvents> netns(new NetnsEvents(std::move(*events), std::move(*queries)));
  netns->refresh_listeners();
  return netns;
}

void NetnsEvents::drain() {
  const std::lock_guard lock(mutex_);
  drain_locked();
}

void NetnsEvents::drain_locked() {
  const bool complete = events_.drain([this](const EndedSocket& socket) {
    if (waiting_.size() == kMaxWaiting) settle();
    waiting_.push_back(socket);
  });
  if (!complete) lost_ = true;
}

EndedNow NetnsEvents::take() {
  const std::lock_guard lock(mutex_);
  drain_locked();
  refresh_listeners();
  settle();
  EndedNow now;
  now.total = std::exchange(total_, {});
  for (const auto& [key, sums] : std::exchange(groups_, {})) now.groups.push_back({key, sums, {}});
  now.lost = std::exchange(lost_, false);
  return now;
}

void NetnsEvents::settle() {
  PortUse use;
  for (const EndedSocket& socket : waiting_) {
    if (!listens(socket.local_port) && !listens(socket.remote_port)) use.add(socket);
  }
  for (const EndedSocket& socket : waiting_) {
    const EndedKey key = listens(socket.local_port)    ? EndedKey{Side::kAccepting, socket.local_port}
                         : socket.remote_port == 0     ? EndedKey{}
                         : listens(socket.remote_port) ? EndedKey{Side::kConnecting, socket.remote_port}
                                                       : use.key_of(socket);
    count(key, {.count = 1, .sent = socket.sent, .received = socket.received});
  }
  waiting_.clear();
}

void NetnsEvents::count(const EndedKey& key, const EndedSums& sums) {
  total_ += sums;
  if (key.side == Side::kUnknown) return;
  const auto found = groups_.find(key);
  if (found != groups_.end()) {
    found->second += sums;
  } else if (groups_.size() < kMaxGroups) {
    groups_.emplace(key, sums);
  }
}

void NetnsEvents::refresh_listeners() {
  auto ports = listening_ports(queries_);
  if (!ports) return;  // those of the look before still tell most
  listened_ = std::exchange(listening_, std::move(*ports));
}

}  // namespace sockdoc
