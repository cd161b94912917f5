#pragma once

#include <sys/socket.h>

#include "preload/table/table.h"

namespace sockdoc::preload {

/** A socket option is about to be set: some work on bytes that the kernel carries alone. */
void before_option(Handle socket, int level, int name, const void* value, socklen_t length);

/** The same of options that are set already. */
[[nodiscard]] bool options_of_the_kernel(int fd);
[[nodiscard]] bool has_upper_protocol(int fd);
/** SO_RCVLOWAT above 1: only the kernel knows when to wake. */
[[nodiscard]] bool wakes_late(int fd);

/** A socket option was set: what the kernel must have otherwise than the program. */
void after_option(Handle socket, int fd, int level, int name);

/** The kernel has told an option: `value` becomes what the program set. */
void tell_option(Handle socket, int level, int name, void* value, const socklen_t* length);

/** From now on the kernel sends at once what it is given; for the program nothing changes. */
void send_without_delay(SocketState& state, int fd);
/** The kernel has the option again as the program set it. */
void delay_as_meant(SocketState& state, int fd);

/** The writing half is about to be shut down. */
void said_shutdown(Handle socket);

/** MSG_… flags of preadv2() and pwritev2(). */
[[nodiscard]] int flags_of_read(int flags);

}  // namespace sockdoc::preload
