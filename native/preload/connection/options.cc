#include "preload/connection/options.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/uio.h>

#include <cstring>

#include "preload/connection/connections.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif

namespace sockdoc::preload {
namespace {

/** Timestamps, zero copies, a memory of what was read: all are told of the kernel's bytes. */
bool of_the_kernel(int level, int name) {
  constexpr int kTimestampNew = 63;
  constexpr int kTimestampNsNew = 64;
  constexpr int kTimestampingNew = 65;
  constexpr int kZeroCopy = 60;
  constexpr int kTcpInq = 36;
  if (level == SOL_SOCKET) {
    return name == SO_TIMESTAMP || name == SO_TIMESTAMPNS || name == SO_TIMESTAMPING || name == kTimestampNew ||
           name == kTimestampNsNew || name == kTimestampingNew || name == kZeroCopy || name == SO_PEEK_OFF ||
           name == SO_OOBINLINE;
  }
  return level == IPPROTO_TCP && (name == TCP_REPAIR || name == kTcpInq);
}

}  // namespace

void before_option(Handle socket, int level, int name, const void* value, socklen_t length) {
  if (level == IPPROTO_TCP && name == TCP_ULP) return connections.stay(socket, abi::Reason::upper_protocol);
  int number = 0;
  if (value == nullptr || length < sizeof number) return;
  if (level == SOL_SOCKET && name == SO_RCVLOWAT) {
    std::memcpy(&number, value, sizeof number);
    if (number > 1) connections.stay_receiving(socket, abi::Reason::socket_option);
  } else if (of_the_kernel(level, name)) {
    std::memcpy(&number, value, sizeof number);
    if (number != 0) connections.stay(socket, abi::Reason::socket_option);
  }
}

void said_shutdown(Handle socket) {
  if (Connection* connection = connection_of(socket); connection != nullptr) connection->said_shutdown();
}

int flags_of_read(int flags) {
  constexpr int kNoWait = 8;  // RWF_NOWAIT
  return (flags & kNoWait) != 0 ? MSG_DONTWAIT : 0;
}

}  // namespace sockdoc::preload
