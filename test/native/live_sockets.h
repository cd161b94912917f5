#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"

namespace sockdoc {

/** Inode number of a socket that we hold, as sock_diag shows it. */
inline std::uint32_t inode_of(const Fd& socket) {
  struct stat info {};
  EXPECT_EQ(::fstat(socket.get(), &info), 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

inline sockaddr_in loopback(std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline std::uint16_t port_of(const Fd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  return ntohs(address.sin_port);
}

inline Fd bound(int type) {
  Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback();
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

inline Fd listening(int backlog) {
  Fd socket = bound(SOCK_STREAM);
  EXPECT_EQ(::listen(socket.get(), backlog), 0);
  return socket;
}

inline Fd connected_to(const Fd& listener) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port_of(listener));
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

inline Fd accepted_from(const Fd& listener) { return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

/** Opens and closes connections to a listener of our own; gives its port. */
inline std::uint16_t churn(int connections) {
  const Fd listener = listening(16);
  for (int i = 0; i < connections; ++i) {
    const Fd connected = connected_to(listener);
    const Fd accepted = accepted_from(listener);
  }
  return port_of(listener);
}

/** A TCP connection over loopback, both ends here. */
struct LoopbackConnection {
  Fd opener, acceptor;

  LoopbackConnection() {
    const Fd listener = listening(1);
    opener = connected_to(listener);
    acceptor = accepted_from(listener);
    EXPECT_TRUE(acceptor.valid());
  }
};

}  // namespace sockdoc
