#pragma once

namespace sockdoc::preload {

/** syscall() of poll, select, epoll and their kin, and of io_uring_setup, which decides whether we can follow them. */
long waiting_by_syscall(long number, long a, long b, long c, long d, long e, long f);

}  // namespace sockdoc::preload
