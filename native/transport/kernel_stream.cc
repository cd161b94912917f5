#include "transport/kernel_stream.h"

#include <linux/sockios.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/raw.h"

namespace sockdoc {
namespace {

Moved receive_from(int fd, std::span<std::byte> into, int flags) {
  long got = 0;
  do {
    got = raw(SYS_recvfrom, fd, into.data(), into.size(), flags | MSG_DONTWAIT, nullptr, nullptr);
  } while (got == -EINTR);
  if (failed(got)) return {0, static_cast<int>(-got)};
  return {static_cast<std::size_t>(got), 0, got == 0 && !into.empty()};
}

}  // namespace

Moved KernelStream::send(std::span<const iovec> parts) const {
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  long sent = 0;
  do {
    sent = raw(SYS_sendmsg, fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent == -EINTR);
  if (failed(sent)) return {0, static_cast<int>(-sent)};
  return {static_cast<std::size_t>(sent), 0};
}

bool KernelStream::all_on_their_way() const {
  int held_back = 0;
  return !failed(raw(SYS_ioctl, fd_, SIOCOUTQNSD, &held_back)) && held_back == 0;
}

Moved KernelStream::receive(std::span<std::byte> into) const { return receive_from(fd_, into, 0); }

Moved KernelStream::peek(std::span<std::byte> into) const { return receive_from(fd_, into, MSG_PEEK); }

Moved KernelStream::look() const {
  std::byte byte{};
  return peek({&byte, 1});
}

}  // namespace sockdoc
