#pragma once

#include <sys/socket.h>

#include "abi/messages.h"
#include "preload/exec/environment.h"

namespace sockdoc::preload {

/*
 * Descriptors that reach another program or process: their connections go back to the kernel first. Bytes that lie
 * unread in a ring go along to a program that has libsd (UnreadBytes). Where they cannot, the connection ends by a
 * reset, which both sides see, before anybody reads past them.
 */

/** A program that is about to be executed: execveat(folder, path, arguments, environment, flags). */
struct Successor {
  int folder;
  const char* path;
  int flags;
  char* const* arguments;
  char* const* environment;
  program::Fit fit;
};

/**
 * Before exec. In the process that has the connections: all that the new program gets. In its child, on the same memory
 * or on a copy: those that the child passes on purpose, which are descriptors 0 to 2, those whose number is in the
 * arguments or the environment, and what its parent does not have by the same number or has close-on-exec; others
 * merely leak.
 */
void before_exec(const Successor& next);

/** Before sendmsg() by a socket that is not TCP: descriptors may go with it (SCM_RIGHTS). */
void before_passing(const msghdr* message);

/** Every connection of this process, also of those to come: the kernel itself will move bytes on their sockets. */
void all_go_back(abi::Reason reason);

/**
 * Before the process limits its system calls (seccomp(2)): perhaps to less than libsd needs. All goes back, and where
 * no other thread runs and nothing lies unread, libsd forgets every socket: from then on it only passes calls on.
 */
void before_limiting();

}  // namespace sockdoc::preload
