#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "abi/messages.h"
#include "base/fd.h"
#include "monitor/process.h"

namespace sockdoc::monitor {

/** Who sent a message, as the kernel says. */
struct Sender {
  pid_t pid = 0;
  uid_t uid = 0;
};

/**
 * One connection of the monitor's socket: whole messages in, whole messages out, never waiting. A peer that breaks the
 * rules (lengths, descriptors, messages from several processes mixed) or does not read is closed.
 */
class Channel {
 public:
  enum class State { idle, message, closed };

  Channel(Fd fd, uid_t uid) : fd_(std::move(fd)), uid_(uid) {}

  /** Reads once if there is no whole message yet; `message` when message() is one. */
  State read();
  /** Valid after State::message, until drop(). */
  [[nodiscard]] std::span<const std::byte> message() const { return std::span(in_).first(length_); }
  [[nodiscard]] const Sender& sender() const { return sender_; }
  void drop();
  /** Whether another message has been read already. */
  [[nodiscard]] bool has_more() const { return filled_ > 0; }

  /** Sends, or keeps what does not fit now; with a descriptor or −1. False when the peer does not read. */
  bool send(const void* bytes, std::size_t length, int fd);
  /** Sends what was kept; false when the connection is broken. */
  bool flush();
  [[nodiscard]] bool kept() const { return !out_.empty(); }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] uid_t uid() const { return uid_; }

  Process* process = nullptr;  // once it has registered
  std::int64_t opened_ns = 0;
  bool waiting = false;        // asked too often: not listened to for a while
  bool broken = false;         // to be closed after this round
  std::uint32_t interest = 0;  // what epoll watches

 private:
  struct Kept {
    std::vector<std::byte> bytes;
    std::size_t sent = 0;
    Fd fd;
  };
  [[nodiscard]] bool whole();
  [[nodiscard]] ssize_t send_some(std::span<const std::byte> bytes, int fd) const;

  Fd fd_;
  uid_t uid_;
  Sender sender_;
  std::array<std::byte, abi::kMaxRequestBytes> in_{};
  std::size_t filled_ = 0;
  std::size_t length_ = 0;
  bool bad_ = false;
  std::deque<Kept> out_;
  std::size_t kept_bytes_ = 0;
};

}  // namespace sockdoc::monitor
