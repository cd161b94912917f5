#pragma once

#include <sys/socket.h>

#include "preload/table/table.h"

namespace sockdoc::preload {

/** A socket option is about to be set: some work on bytes that the kernel carries alone. */
void before_option(Handle socket, int level, int name, const void* value, socklen_t length);

/** The writing half is about to be shut down. */
void said_shutdown(Handle socket);

/** MSG_… flags of preadv2() and pwritev2(). */
[[nodiscard]] int flags_of_read(int flags);

}  // namespace sockdoc::preload
