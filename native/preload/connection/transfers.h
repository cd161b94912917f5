#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>

#include "preload/connection/connection.h"

namespace sockdoc::preload {

/*
 * Calls that move bytes on a TCP socket, from the hooks: by the socket's connection when it has one, else by the
 * kernel, counted. `call` is the program's own. Results and errno are as the program's call gives them.
 */

/** `from_length`: of recvfrom(), whose TCP peer has no address to tell. */
[[nodiscard]] long receive_bytes(Handle socket, int fd, const iovec* parts, std::size_t count, int flags,
                                 bool cancellable, socklen_t* from_length, Native call);
[[nodiscard]] long receive_message(Handle socket, int fd, msghdr* message, int flags, bool cancellable, Native call);
[[nodiscard]] long send_bytes(Handle socket, int fd, const iovec* parts, std::size_t count, int flags, bool cancellable,
                              Native call);
[[nodiscard]] long send_message(Handle socket, int fd, const msghdr* message, int flags, bool cancellable, Native call);
[[nodiscard]] long receive_messages(Handle socket, int fd, mmsghdr* messages, unsigned count, int flags,
                                    const timespec* timeout, Native call);
[[nodiscard]] long send_messages(Handle socket, int fd, mmsghdr* messages, unsigned count, int flags, Native call);

/** sendfile() and splice() into a socket. */
[[nodiscard]] long send_natively(Handle socket, int fd, Native call);
/** splice() out of a socket into the pipe `to`. */
[[nodiscard]] long splice_from(Handle socket, int fd, int to, std::size_t size, unsigned flags, Native call);

/** FIONREAD: what the ring holds belongs to it. (It is not unsent for the peer's side: TCP's would be acknowledged.) */
void add_ring_bytes(Handle socket, int* value);

}  // namespace sockdoc::preload
