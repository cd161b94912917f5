#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

#include "transport/moved.h"

namespace sockdoc {

/** The kernel's socket under a connection. Never waits; never raises SIGPIPE; goes past libc (base/raw.h). */
class KernelStream {
 public:
  explicit KernelStream(int fd) : fd_(fd) {}

  [[nodiscard]] Moved send(std::span<const iovec> parts) const;
  /** Nothing that was sent is held back (TCP_CORK, a full window): it is at the peer, or on its way. */
  [[nodiscard]] bool all_on_their_way() const;
  [[nodiscard]] Moved receive(std::span<std::byte> into) const;

  /** Like receive(), leaving the bytes where they are. */
  [[nodiscard]] Moved peek(std::span<std::byte> into) const;

  /** What receive() would find now, left where it is: a byte, the end, EAGAIN, or an error, which is reported once. */
  [[nodiscard]] Moved look() const;

 private:
  int fd_;
};

}  // namespace sockdoc
