#include "bench/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/procfs.h"

namespace sockdoc::bench {
namespace {

union Name {
  sockaddr any;
  sockaddr_in tcp;
  sockaddr_un local;
};

socklen_t name_of(const Address& address, Name& name) {
  name = {};
  if (address.path.empty()) {
    name.tcp.sin_family = AF_INET;
    name.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.tcp.sin_port = htons(address.port);
    return sizeof name.tcp;
  }
  name.local.sun_family = AF_UNIX;
  std::memcpy(name.local.sun_path, address.path.c_str(), address.path.size() + 1);
  return sizeof name.local;
}

Fd opened(const Address& address) {
  return Fd(::socket(address.path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

void send_at_once(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on UNIX sockets, which need none
}

}  // namespace

std::string Address::text() const { return path.empty() ? "tcp:" + std::to_string(port) : "unix:" + path; }

Result<Address> parse_address(const std::string& text) {
  Address address;
  if (text.starts_with("tcp:")) {
    const auto port = parse_number<std::uint16_t>(text.substr(4));
    if (!port) return Error{EINVAL, text};
    address.port = *port;
    return address;
  }
  if (!text.starts_with("unix:/")) return Error{EINVAL, text};
  address.path = text.substr(5);
  if (address.path.size() >= sizeof(sockaddr_un::sun_path)) return Error{ENAMETOOLONG, address.path};
  return address;
}

Result<Fd> listen_at(Address& address) {
  Name name;
  socklen_t length = name_of(address, name);
  Fd fd = opened(address);
  if (!fd.valid() || ::bind(fd.get(), &name.any, length) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    return errno_error("listen at " + address.text());
  }
  if (address.path.empty()) {
    if (::getsockname(fd.get(), &name.any, &length) != 0) return errno_error("getsockname");
    address.port = ntohs(name.tcp.sin_port);
  }
  return fd;
}

Result<Fd> connect_to(const Address& address) {
  Name name;
  const socklen_t length = name_of(address, name);
  Fd fd = opened(address);
  if (!fd.valid() || ::connect(fd.get(), &name.any, length) != 0) return errno_error("connect to " + address.text());
  send_at_once(fd.get());
  return fd;
}

Result<Fd> accept_from(int listener) {
  Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid()) return errno_error("accept");
  send_at_once(fd.get());
  return fd;
}

bool send_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int fd, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = 0;
    if (got <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace sockdoc::bench
