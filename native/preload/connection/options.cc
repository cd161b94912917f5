#include "preload/connection/options.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cstring>

#include "base/raw.h"
#include "preload/connection/connections.h"
#include "preload/connection/gate.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif

namespace sockdoc::preload {
namespace {

struct Option {
  int level, name;
};

/** Timestamps, zero copies, a memory of what was read: all are told of the kernel's bytes. */
constexpr Option kOfTheKernel[] = {
    {SOL_SOCKET, SO_TIMESTAMP}, {SOL_SOCKET, SO_TIMESTAMPNS}, {SOL_SOCKET, SO_TIMESTAMPING},
    {SOL_SOCKET, 63},  // SO_TIMESTAMP_NEW
    {SOL_SOCKET, 64},  // SO_TIMESTAMPNS_NEW
    {SOL_SOCKET, 65},  // SO_TIMESTAMPING_NEW
    {SOL_SOCKET, 60},  // SO_ZEROCOPY
    {SOL_SOCKET, SO_PEEK_OFF},  {SOL_SOCKET, SO_OOBINLINE},   {IPPROTO_TCP, TCP_REPAIR},
    {IPPROTO_TCP, 36},  // TCP_INQ
};

bool of_the_kernel(int level, int name) {
  for (const Option& one : kOfTheKernel) {
    if (one.level == level && one.name == name) return true;
  }
  return false;
}

bool is_off(int level, int name, int value) {
  return level == SOL_SOCKET && name == SO_PEEK_OFF ? value < 0 : value == 0;
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
    if (!is_off(level, name, number)) connections.stay(socket, abi::Reason::socket_option);
  }
}

bool options_of_the_kernel(int fd) {
  for (const Option& one : kOfTheKernel) {
    int value = 0;
    socklen_t length = sizeof value;
    if (failed(raw(SYS_getsockopt, fd, one.level, one.name, &value, &length))) continue;  // of a later kernel
    if (length >= sizeof value && !is_off(one.level, one.name, value)) return true;
  }
  return false;
}

bool has_upper_protocol(int fd) {
  char name[16] = {};
  socklen_t length = sizeof name;
  return !failed(raw(SYS_getsockopt, fd, IPPROTO_TCP, TCP_ULP, name, &length)) && length > 0 && name[0] != 0;
}

bool wakes_late(int fd) {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  return !failed(raw(SYS_getsockopt, fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, &length)) && bytes > 1;
}

/**
 * What the peer answers by the ring carries no acknowledgement, so the second of two small messages by the kernel would
 * lie there until the peer's delayed one (40 ms): Nagle's algorithm takes it for a conversation of one. TCP_CORK stays
 * the kernel's: it holds bytes back in any case.
 */
void send_without_delay(SocketState& state, int fd) {
  const int wanted = 1;
  int set = 0;
  socklen_t length = sizeof set;
  // First: whoever sets the option at this moment lowers it again.
  state.flags.fetch_or(kMeansDelay);
  if (failed(raw(SYS_getsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &set, &length)) || set != 0 ||
      failed(raw(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &wanted, sizeof wanted))) {
    state.flags.fetch_and(~kMeansDelay);
  }
}

void delay_as_meant(SocketState& state, int fd) {
  if ((state.flags.load(std::memory_order_relaxed) & kMeansDelay) == 0) return;
  if ((state.flags.fetch_and(~kMeansDelay) & kMeansDelay) == 0) return;
  const int off = 0;
  raw(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
}

void after_option(Handle socket, int fd, int level, int name) {
  if (level != IPPROTO_TCP || name != TCP_NODELAY) return;
  SocketState* state = table.state(socket);
  if (state == nullptr) return;
  state->flags.fetch_and(~kMeansDelay);
  const Connection* connection = connection_of(socket);
  if (connection != nullptr && !connection->gone_back()) send_without_delay(*state, fd);
}

void tell_option(Handle socket, int level, int name, void* value, const socklen_t* length) {
  if (level == SOL_SOCKET && name == SO_ERROR) {
    Connection* connection = connection_of(socket);
    int error = 0;
    if (connection == nullptr || *length < sizeof error) return;
    std::memcpy(&error, value, sizeof error);
    error = connection->tell_error(error);
    std::memcpy(value, &error, sizeof error);
    return;
  }
  if (level != IPPROTO_TCP || name != TCP_NODELAY) return;
  const SocketState* state = table.state(socket);
  if (state == nullptr || (state->flags.load(std::memory_order_relaxed) & kMeansDelay) == 0) return;
  std::memset(value, 0, *length);
}

void said_shutdown(Handle socket) {
  if (Connection* connection = connection_of(socket); connection != nullptr) connection->said_shutdown();
}

int flags_of_read(int flags) {
  constexpr int kNoWait = 8;  // RWF_NOWAIT
  return (flags & kNoWait) != 0 ? MSG_DONTWAIT : 0;
}

}  // namespace sockdoc::preload
