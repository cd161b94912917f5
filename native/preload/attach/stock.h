#pragma once

#include <cstdint>
#include <span>

namespace sockdoc::preload {

/**
 * With all other threads stopped: what the process has open becomes known, sockets and epoll sets with their members;
 * what was known before is not true any more. `own_sets`: as sockdoc_libsd_apply() has it. Raw system calls and mmap(2)
 * alone.
 */
void take_stock(std::span<const std::int32_t> own_sets);

}  // namespace sockdoc::preload
