#pragma once

#include <cstddef>

#include "abi/messages.h"

namespace sockdoc::preload {

/** A message with nothing but its header. */
template <typename Message>
[[nodiscard]] Message message_of(abi::MessageType type, std::uint64_t sequence) {
  Message message = {};
  message.header = {sizeof message, abi::kMonitorVersion, type, sequence};
  return message;
}

/** A link to the monitor whose socket is at `path`, which does not wait; negative: the errno value. */
[[nodiscard]] long connect_to_monitor(const char* path);

/** What a process says first; `began` of start_ticks(), `flags` of abi::kHello…. */
[[nodiscard]] abi::Hello hello_of(std::uint64_t began, std::uint64_t flags);

/** Every message for libsd is shorter. */
inline constexpr std::size_t kLongestMessage = 256;

enum class Received { message, nothing_yet, broken };

/** One message, which begins with its header; a descriptor that came along, or -1, is the caller's in any case. */
[[nodiscard]] Received receive_message(int link, std::byte (&into)[kLongestMessage], int& along);

}  // namespace sockdoc::preload
