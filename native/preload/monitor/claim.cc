#include "preload/monitor/claim.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstring>

#include "base/raw.h"
#include "preload/table/own.h"

namespace sockdoc::preload {
namespace {

template <typename Value>
bool option(int fd, int name, Value& value) {
  socklen_t length = sizeof value;
  return !failed(raw(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &length));
}

bool endpoint(int fd, long call, abi::Endpoint& into, std::uint32_t& family) {
  sockaddr_in6 address = {};
  socklen_t length = sizeof address;
  if (failed(raw(call, fd, &address, &length))) return false;
  family = address.sin6_family;
  into.port = __builtin_bswap16(address.sin6_port);  // at the same place for both families
  if (family == AF_INET6) {
    std::memcpy(into.address, &address.sin6_addr, 16);
  } else if (family == AF_INET) {
    into.address[10] = into.address[11] = 0xff;
    std::memcpy(into.address + 12, reinterpret_cast<const char*>(&address) + offsetof(sockaddr_in, sin_addr), 4);
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool claim(int fd, abi::SocketClaim& into) {
  into = {};
  struct stat info = {};
  std::uint32_t family = 0;
  if (failed(raw(SYS_fstat, fd, &info)) || !option(fd, SO_COOKIE, into.cookie) ||
      !endpoint(fd, SYS_getsockname, into.local, family) || !endpoint(fd, SYS_getpeername, into.remote, family)) {
    return false;
  }
  into.fd = fd;
  into.family = family;
  into.inode = info.st_ino;
  std::int32_t interface = 0;
#ifdef SO_BINDTOIFINDEX
  if (option(fd, SO_BINDTOIFINDEX, interface) && interface > 0) into.interface = static_cast<std::uint32_t>(interface);
#endif
  return true;
}

std::uint64_t start_ticks() {
  char text[1024];
  long size = 0;
  {
    const OwnDescriptors::Making alone;
    const long file = raw(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);
    if (failed(file)) return 0;
    size = raw(SYS_read, file, text, sizeof text - 1);
    raw(SYS_close, file);
  }
  if (failed(size)) return 0;
  text[size] = 0;
  // The name, field 2, stands in brackets and may hold anything.
  const char* at = std::strrchr(text, ')');
  constexpr int kStartTime = 22;
  for (int field = 2; at != nullptr && field < kStartTime; field++) at = std::strchr(at + 1, ' ');
  std::uint64_t ticks = 0;
  if (at == nullptr) return 0;
  for (at++; *at >= '0' && *at <= '9'; at++) ticks = ticks * 10 + static_cast<std::uint64_t>(*at - '0');
  return ticks;
}

}  // namespace sockdoc::preload
