#pragma once

#include <sys/socket.h>

#include "abi/messages.h"

namespace sockdoc::preload {

/*
 * Descriptors that reach another program or process: their connections go back to the kernel first. Bytes that lie
 * unread in a ring cannot follow; then the connection ends by a reset, which both sides see, before anybody reads past
 * them.
 */

/**
 * Before execveat(folder, path, …, flags). In the process that has the connections: all that the new program gets. In
 * its child, on the same memory or on a copy: those that the child passes on purpose, which are descriptors 0 to 2
 * and what its parent does not have by the same number or has close-on-exec; others merely leak.
 */
void before_exec(int folder, const char* path, int flags);

/** Before sendmsg() by a socket that is not TCP: descriptors may go with it (SCM_RIGHTS). */
void before_passing(const msghdr* message);

/** Every connection of this process, also of those to come: the kernel itself will move bytes on their sockets. */
void all_go_back(abi::Reason reason);

}  // namespace sockdoc::preload
