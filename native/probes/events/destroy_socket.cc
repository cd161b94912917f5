#include "probes/events/destroy_socket.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>

namespace sockdoc {
namespace {

// An event takes some 400 bytes; a longer datagram is cut, and what is cut off is no whole message.
constexpr std::size_t kDatagramBytes = 2048;
constexpr std::size_t kBatch = 32;
constexpr std::size_t kBytesPerEvent = 1280;
constexpr std::size_t kMaxAtOnce = 65'536;  // the caller has other things to do

/** Buffers of recvmmsg(2). */
class Batch {
 public:
  Batch() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts_[i] = {bytes_[i].data(), kDatagramBytes};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
      messages_[i].msg_hdr.msg_name = &senders_[i];
    }
  }

  int receive(int fd) {
    for (std::size_t i = 0; i < kBatch; ++i) messages_[i].msg_hdr.msg_namelen = sizeof senders_[i];
    return ::recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
  }

  /** Empty for what another program sent. */
  [[nodiscard]] Bytes datagram(int i) const {
    const auto index = static_cast<std::size_t>(i);
    if (senders_[index].nl_pid != 0) return {};
    return Bytes(bytes_[index]).first(messages_[index].msg_len);
  }

 private:
  std::array<std::array<std::byte, kDatagramBytes>, kBatch> bytes_;
  std::array<sockaddr_nl, kBatch> senders_{};
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> messages_{};
};

std::size_t set_buffer(int fd, int bytes) {
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  (void)::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length);
  return static_cast<std::size_t>(granted) / kBytesPerEvent;
}

}  // namespace

Result<DestroySocket> DestroySocket::open(int buffer_bytes) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.valid()) return errno_error("sock_diag");
  DestroySocket events(std::move(fd));
  events.room_ = set_buffer(events.fd(), buffer_bytes);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (::bind(events.fd(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return errno_error("sock_diag");
  for (const int group : {SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY}) {
    if (::setsockopt(events.fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return errno_error("destroy events of sock_diag");
    }
  }
  return events;
}

bool DestroySocket::drain(const std::function<void(const EndedSocket&)>& on_ended) {
  bool complete = true;
  NetlinkEnd end;
  const NetlinkHandler handle = [&](std::uint16_t, Bytes payload) {
    if (const auto ended = parse_ended_socket(payload)) on_ended(*ended);
  };
  Batch batch;
  for (std::size_t taken = 0; taken < kMaxAtOnce;) {
    const int got = batch.receive(fd_.get());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {
      complete = false;  // said once per overflow; what is still queued follows
      continue;
    }
    if (got <= 0) return complete;
    taken += static_cast<std::size_t>(got);
    for (int i = 0; i < got; ++i) (void)walk_messages(batch.datagram(i), 0, handle, end);
  }
  return complete;
}

}  // namespace sockdoc
