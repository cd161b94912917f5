#include "probes/descriptors/protocol.h"

#include <sys/socket.h>
#include <sys/xattr.h>

#include <cstdio>
#include <cstring>

namespace sockdoc {

std::string socket_protocol(int pid, int fd) {
  char path[48];
  char name[64];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
  const ssize_t length = ::getxattr(path, "system.sockprotoname", name, sizeof name);
  return length > 0 ? std::string(name, ::strnlen(name, static_cast<std::size_t>(length))) : std::string();
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
