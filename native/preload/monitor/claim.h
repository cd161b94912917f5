#pragma once

#include "abi/messages.h"

namespace sockdoc::preload {

/** What the monitor is told of a connected TCP socket; false where the kernel does not say all of it. */
[[nodiscard]] bool claim(int fd, abi::SocketClaim& into);

/** When this process began, as /proc has it; 0 where that cannot be read. */
[[nodiscard]] std::uint64_t start_ticks();

}  // namespace sockdoc::preload
