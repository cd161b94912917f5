#include "probes/descriptors/protocol.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/fd.h"

namespace sockdoc {

std::string socket_protocol(int pid, int fd) {
  char path[48];
  char name[64];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
  const ssize_t length = ::getxattr(path, "system.sockprotoname", name, sizeof name);
  return length > 0 ? std::string(name, ::strnlen(name, static_cast<std::size_t>(length))) : std::string();
}

std::optional<std::uint8_t> tcp_state_of(int pid, int fd, std::uint64_t inode) {
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return std::nullopt;
  const Fd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
  struct stat file {};
  if (!socket.valid() || ::fstat(socket.get(), &file) != 0 || file.st_ino != inode) return std::nullopt;
  std::uint8_t state = 0;  // tcpi_state, the first byte of tcp_info
  socklen_t length = sizeof state;
  if (::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &state, &length) != 0 || length < 1) return std::nullopt;
  return state;
}

std::string protocol_of(const SocketFact& fact) {
  if (fact.protocol == SocketFact::Protocol::unix_domain) return {};
  const std::string name = fact.protocol == SocketFact::Protocol::tcp ? "TCP" : "UDP";
  return fact.family == AF_INET6 ? name + "v6" : name;
}

std::string_view kind_of(const SocketFact& fact) {
  switch (fact.protocol) {
    case SocketFact::Protocol::tcp:
      return "tcp";
    case SocketFact::Protocol::udp:
      return "udp";
    default:
      return "unix";
  }
}

}  // namespace sockdoc
