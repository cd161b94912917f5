#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "abi/slab.h"

/**
 * The memory of bytes that were set aside (preload/connection/unread.h): a sealed memfd with this head in its first
 * page, and the bytes behind it. Programs that were executed find it; the monitor gives its bytes back to the kernel.
 */
namespace sockdoc::abi {

inline constexpr std::uint64_t kUnreadMagic = 0x6461657273636b73;
inline constexpr char kUnreadName[] = "sockdoc-unread";
/** More than a ring and the kernel hold. */
inline constexpr std::size_t kMostUnread = std::size_t{64} << 20;

/** UnreadHead::returning: who asks may cancel as long as nobody has begun, by a compare-and-swap. */
enum class Returning : std::uint32_t {
  no = 0,
  asked = 1,
  cancelled = 2,
  begun = 3,  // by the monitor, which does not wait long in between
  ended = 4,  // `returned` says how far it came
};

/**
 * Beside UnreadHead::taken, while one of those who share the memory gives what is left back to the kernel: nobody takes
 * bytes meanwhile, and none that come behind them.
 */
inline constexpr std::uint64_t kFrozen = std::uint64_t{1} << 63;

struct UnreadHead {
  std::uint64_t magic;
  std::uint64_t cookie;  // of the socket that they are to be read from
  std::uint64_t size;
  std::atomic<std::uint64_t> taken;
  std::atomic<std::uint32_t> error;  // behind the bytes
  std::atomic<Returning> returning;
  std::atomic<std::uint64_t> returned;  // bytes that the peer's socket took
  std::atomic<std::uint32_t> reset;     // 1: by a process that cannot tell the monitor
  std::uint32_t reserved;
};

static_assert(sizeof(UnreadHead) == 56 && sizeof(UnreadHead) <= kPage);

}  // namespace sockdoc::abi
