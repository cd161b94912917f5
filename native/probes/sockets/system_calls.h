#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sockdoc {

/** The system call that a thread is blocked in. */
struct BlockedCall {
  long number = -1;
  std::int64_t arg0 = 0;
};

/** From /proc/PID/task/TID/syscall; nullopt for "running" and for a thread that is blocked outside of one. */
std::optional<BlockedCall> parse_blocked_call(std::string_view text);

/**
 * The name of a call that waits for or moves data; empty for others. Numbers of this program's architecture: a 32-bit
 * program on a 64-bit kernel has others, and is not told apart.
 */
std::string_view system_call_name(long number);

/** Whether it is select() or pselect6(), whose descriptors must be below 1024. */
bool is_select(long number);

}  // namespace sockdoc
