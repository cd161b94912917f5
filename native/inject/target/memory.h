#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "inject/refusal.h"
#include "inject/target/access.h"
#include "inject/target/address.h"

namespace sockdoc::inject {

/**
 * Memory of another process, by process_vm_readv(2): needs the right to trace it, and stops nothing. What is copied
 * from one of these shares its patience.
 */
class Memory {
 public:
  explicit Memory(pid_t pid) : pid_(pid), access_(std::make_shared<Access>(pid)) {}

  [[nodiscard]] pid_t pid() const { return pid_; }

  /** How many bytes could be read from `at` on; errno tells why there are none. */
  std::size_t read(Address at, void* into, std::size_t size) const;
  /** Several at a time, which is much faster. False where one is missing. */
  [[nodiscard]] bool read_all(std::span<const Piece> pieces) const;
  [[nodiscard]] bool write_all(std::span<const Piece> pieces) const;
  [[nodiscard]] bool write(Address at, const void* from, std::size_t size) const;

  /**
   * Onto a stack. That of the first thread grows as if the thread had touched it, which process_vm_writev(2) does not
   * make it do since Linux 6.5, but /proc/PID/mem.
   */
  [[nodiscard]] bool write_stack(Address at, std::span<const std::uint8_t> bytes) const;

  /** Whether a stack that a thread uses down to `top` has `size` bytes more, or grows. */
  [[nodiscard]] bool has_stack(Address top, std::size_t size) const;

  template <typename T>
  [[nodiscard]] std::optional<T> value(Address at) const {
    T result;
    if (read(at, &result, sizeof result) != sizeof result) return std::nullopt;
    return result;
  }
  template <typename T>
  [[nodiscard]] bool set(Address at, const T& to) const {
    return write(at, &to, sizeof to);
  }

  /** Up to the zero; at most `most` bytes of it. */
  [[nodiscard]] std::string text(Address at, std::size_t most = 256) const;

  /** Once a page has stayed away: nothing that was read since the beginning says what is not there. */
  [[nodiscard]] Refused stalled() const;
  [[nodiscard]] Access& access() const { return *access_; }

 private:
  pid_t pid_;
  std::shared_ptr<Access> access_;
};

}  // namespace sockdoc::inject
