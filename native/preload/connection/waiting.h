#pragma once

#include <poll.h>
#include <sys/select.h>

#include "preload/connection/connections.h"
#include "preload/monitor/link.h"

namespace sockdoc::preload {

/*
 * Programs that wait for sockets by select, poll or epoll ask the kernel, which sees nothing of a ring: what such a
 * socket receives comes by the kernel.
 */
inline void wait_by_kernel(int fd) {
  if (!monitor_link.wanted()) return;
  const Handle socket = table.find(fd);
  if (socket) connections.stay_receiving(socket, abi::Reason::waited_for);
}

inline void wait_by_kernel(const pollfd* fds, nfds_t count) {
  if (!monitor_link.wanted() || fds == nullptr) return;
  for (nfds_t i = 0; i < count; i++) wait_by_kernel(fds[i].fd);
}

inline void wait_by_kernel(int count, const fd_set* in) {
  if (!monitor_link.wanted() || in == nullptr) return;
  for (int fd = 0; fd < count && fd < FD_SETSIZE; fd++) {
    if (FD_ISSET(fd, in)) wait_by_kernel(fd);
  }
}

}  // namespace sockdoc::preload
