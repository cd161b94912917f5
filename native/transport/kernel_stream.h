#pragma once

#include <cstddef>
#include <span>

#include "transport/moved.h"

namespace sockdoc {

/** The kernel's socket under a connection. Never waits; never raises SIGPIPE. */
class KernelStream {
 public:
  explicit KernelStream(int fd) : fd_(fd) {}

  [[nodiscard]] Moved send(std::span<const std::byte> bytes) const;
  [[nodiscard]] Moved receive(std::span<std::byte> into) const;

  /** True when the peer has ended the stream and all bytes that the kernel carried have been read. */
  [[nodiscard]] bool at_end() const;

 private:
  int fd_;
};

}  // namespace sockdoc
