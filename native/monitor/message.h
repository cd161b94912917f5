#pragma once

#include <cstdint>

#include "abi/messages.h"

namespace sockdoc::monitor {

/** A message with its header; the rest is zero. */
template <typename Message>
Message message_of(abi::MessageType type, std::uint64_t sequence) {
  Message message{};
  message.header = {sizeof message, abi::kMonitorVersion, type, sequence};
  return message;
}

}  // namespace sockdoc::monitor
