#pragma once

namespace sockdoc::preload {

/**
 * With all other threads stopped: what the process has open becomes known, sockets and epoll sets with their members;
 * what was known before is not true any more. Raw system calls and mmap(2) alone.
 */
void take_stock();

}  // namespace sockdoc::preload
