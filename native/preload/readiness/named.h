#pragma once

#include "preload/connection/connections.h"
#include "preload/readiness/sets.h"
#include "preload/thread.h"

namespace sockdoc::preload {

/** The sockets that a call to poll or select names, while it sleeps: they are not woken by other threads' reads. */
class NamedSockets {
 public:
  NamedSockets() = default;
  ~NamedSockets() {
    for (int i = 0; i < count_; i++) sleepers.remove(sockets_[i]);
    if (all_) sleepers.remove_from_all();
  }
  NamedSockets(const NamedSockets&) = delete;
  NamedSockets& operator=(const NamedSockets&) = delete;

  void add(Handle socket) {
    if (one_thread()) return;
    epoll_sets.sleeps_beside_watch(socket);
    if (all_) return;
    if (count_ == kMost) {
      all_ = true;
      return sleepers.add_to_all();
    }
    sleepers.add(socket.index());
    sockets_[count_++] = socket.index();
  }

 private:
  static constexpr int kMost = 64;
  int count_ = 0;
  bool all_ = false;
  std::uint32_t sockets_[kMost];
};

inline bool ring_readable(Handle socket) {
  if (!sleepers.is_awake(socket.index())) return false;
  Connection* connection = connection_of(socket);
  if (connection != nullptr) return connection->has_ring_bytes();
  EpollSet* set = epoll_sets.find(socket);
  return set != nullptr && set->readable();
}

}  // namespace sockdoc::preload
