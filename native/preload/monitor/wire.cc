#include "preload/monitor/wire.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "abi/direction.h"
#include "base/raw.h"

namespace sockdoc::preload {

long connect_to_monitor(const char* path) {
  const long link = raw(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (failed(link)) return link;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  const long result = raw(SYS_connect, link, &address, sizeof address);
  if (!failed(result)) return link;
  raw(SYS_close, link);
  return result;
}

abi::Hello hello_of(std::uint64_t began, std::uint64_t flags) {
  auto hello = message_of<abi::Hello>(abi::MessageType::hello, 0);
  hello.pid = static_cast<std::int32_t>(raw(SYS_getpid));
  hello.shared_memory_version = abi::kSharedMemoryVersion;
  hello.start_ticks = began;
  hello.flags = flags;
  return hello;
}

Received receive_message(int link, std::byte (&into)[kLongestMessage], int& along) {
  along = -1;
  abi::Header header = {};
  iovec part = {&header, sizeof header};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int))];
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long got = raw(SYS_recvmsg, link, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got == -EAGAIN || got == -EINTR) return Received::nothing_yet;
  if (failed(got)) return Received::broken;
  const cmsghdr* found = CMSG_FIRSTHDR(&message);
  if (found != nullptr && found->cmsg_type == SCM_RIGHTS) std::memcpy(&along, CMSG_DATA(found), sizeof along);
  if (got != sizeof header || header.length < sizeof header || header.length > sizeof into ||
      header.version != abi::kMonitorVersion) {
    return Received::broken;
  }
  std::memcpy(into, &header, sizeof header);
  const std::size_t rest = header.length - sizeof header;
  const bool whole = rest == 0 || raw(SYS_recvfrom, link, into + sizeof header, rest, MSG_DONTWAIT, nullptr, nullptr) ==
                                      static_cast<long>(rest);
  return whole ? Received::message : Received::broken;
}

}  // namespace sockdoc::preload
