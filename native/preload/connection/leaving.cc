#include <cstring>

#include "preload/connection/connections.h"
#include "preload/monitor/claim.h"
#include "preload/monitor/link.h"
#include "preload/readiness/sets.h"

/* The way out: from leave() on no connection goes to a ring, and left() says how far those are that did. */
namespace sockdoc::preload {
namespace {

/** Which socket it is; without a descriptor nobody knows. */
void name(sockdoc_attach_kept& one, Handle socket) {
  one.fd = -1;
  table.each([&](int fd, Handle found) {
    if (one.fd < 0 && found.word() == socket.word()) one.fd = fd;
  });
  abi::SocketClaim socket_is;
  if (one.fd < 0 || !claim(one.fd, socket_is)) return;
  one.family = socket_is.family;
  one.local_port = static_cast<std::uint16_t>(socket_is.local.port);
  one.remote_port = static_cast<std::uint16_t>(socket_is.remote.port);
  std::memcpy(one.local, socket_is.local.address, sizeof one.local);
  std::memcpy(one.remote, socket_is.remote.address, sizeof one.remote);
}

}  // namespace

std::uint32_t Connections::leave() {
  constexpr std::uint64_t kToRead = 100;  // ms, for the program
  constexpr std::uint64_t kAtOnce = 100;  // ms: a thread of the program waits for us
  leaving_ = 1;
  epoll_sets.defer_no_more();
  const std::uint64_t now = coarse_ms();
  if (leaving_since_ms_ == 0) leaving_since_ms_ = now;
  table.each([&](int fd, Handle socket) {
    Connection* connection = find(socket);
    if (connection == nullptr) return;
    connection->go_back(fd, abi::Reason::switched_off);
    if (now - leaving_since_ms_ >= kToRead && coarse_ms() - now < kAtOnce) connection->return_at_times(fd);
  });
  return left();
}

bool Connections::stay_after_all() {
  leaving_since_ms_ = 0;
  each_record([](Connection& connection) { connection.return_tries_ = 0; });
  return leaving_.exchange(0) != 0;
}

bool Connections::send_alone() {
  bool all = true;
  each_record([&](Connection& connection) { all = connection.send_alone() && all; });
  return all;
}

std::uint32_t Connections::left() {
  leaving_ = 1;
  // Who is in the middle of it may be mapping memory.
  std::uint32_t count = monitor_link.busy() ? 1 : 0;
  if (epoll_sets.unsettled()) count++;
  each_place([&](Connection& connection) {
    // A thread is about to take it to its rings, or to find that it may not.
    if (connection.crossing_.load() != 0) count += 2;
    if (connection.handle_.load() != 0) count += connection.directions_left();
  });
  return count;
}

std::uint32_t Connection::why_receiving() const {
  if (has_unread()) return SOCKDOC_KEPT_UNREAD;
  if (!here() || natively_.load() != 0) return 0;
  return inbound().in_ring() != 0 ? SOCKDOC_KEPT_UNREAD : SOCKDOC_KEPT_RECEIVING;
}

std::uint32_t Connection::why_sending() const {
  if (!here() || sends_natively_.load() != 0) return 0;
  return sending_.taken() ? SOCKDOC_KEPT_SENDING : SOCKDOC_KEPT_PEER_READS;
}

std::uint32_t Connections::kept(std::span<sockdoc_attach_kept> into) {
  std::uint32_t count = 0;
  const auto add = [&](std::uint32_t why, Handle socket, std::uint64_t unread, std::uint64_t before) {
    if (count < into.size()) {
      into[count] = {};
      into[count].why = why;
      into[count].unread = unread;
      into[count].before = before;
      name(into[count], socket);
    }
    count++;
  };
  if (monitor_link.busy()) add(SOCKDOC_KEPT_MONITOR, Handle(), 0, 0);
  if (epoll_sets.unsettled()) add(SOCKDOC_KEPT_INTEREST, Handle(), 0, 0);
  each_place([&](Connection& connection) {
    if (connection.crossing_.load() != 0) add(SOCKDOC_KEPT_CROSSING, Handle(connection.granted_.load()), 0, 0);
    if (connection.handle_.load() == 0) return;
    if (const std::uint32_t receiving = connection.why_receiving(); receiving != 0) {
      const std::size_t unread = connection.unread();
      const std::size_t in_all = connection.here() ? connection.inbound().until_ring_is_empty() : unread;
      add(receiving, connection.handle(), unread, in_all > unread && in_all != kRingViolated ? in_all - unread : 0);
    }
    if (const std::uint32_t sending = connection.why_sending(); sending != 0) add(sending, connection.handle(), 0, 0);
  });
  return count;
}

}  // namespace sockdoc::preload
