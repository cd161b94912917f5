#include "transport/kernel_stream.h"

#include <sys/socket.h>

#include <cerrno>

namespace sockdoc {
namespace {

Moved moved(ssize_t result) {
  if (result < 0) return {0, errno == EWOULDBLOCK ? EAGAIN : errno};
  return {static_cast<std::size_t>(result), 0};
}

}  // namespace

Moved KernelStream::send(std::span<const std::byte> bytes) const {
  ssize_t sent = 0;
  do {
    sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return moved(sent);
}

Moved KernelStream::receive(std::span<std::byte> into) const {
  ssize_t got = 0;
  do {
    got = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  Moved result = moved(got);
  result.end = got == 0 && !into.empty();
  return result;
}

bool KernelStream::at_end() const {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  } while (got < 0 && errno == EINTR);
  return got == 0;
}

}  // namespace sockdoc
