#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <csignal>
#include <cstddef>
#include <ctime>

/*
 * The hooked calls: CALL(symbol, result, (parameters), (arguments)). hooks.cc defines sockdoc_hook_SYMBOL for each;
 * libc's own function is behind sockdoc_original_SYMBOL.
 *
 * Not here, because the kernel's answer for a socket is right without us: pread, pwrite, preadv, pwritev
 * (ESPIPE), tee and copy_file_range (EINVAL), socketpair. Not here, because what they do arrives at a call that is:
 * stdio and dprintf (write, __read_nocancel, __close_nocancel), system, popen, daemon, posix_spawn (its child calls
 * dup2, close and execve on our memory). Not here, because its child has our memory: vfork.
 */

/** Keep count or change the table. */
#define SOCKDOC_TRACKED_CALLS(CALL)                                                                                    \
  CALL(read, ssize_t, (int fd, void* into, size_t size), (fd, into, size))                                             \
  CALL(__read_nocancel, ssize_t, (int fd, void* into, size_t size), (fd, into, size))                                  \
  CALL(readv, ssize_t, (int fd, const iovec* parts, int count), (fd, parts, count))                                    \
  CALL(preadv2, ssize_t, (int fd, const iovec* parts, int count, off_t at, int flags), (fd, parts, count, at, flags))  \
  CALL(recv, ssize_t, (int fd, void* into, size_t size, int flags), (fd, into, size, flags))                           \
  CALL(recvfrom, ssize_t, (int fd, void* into, size_t size, int flags, sockaddr* from, socklen_t* length),             \
       (fd, into, size, flags, from, length))                                                                          \
  CALL(recvmsg, ssize_t, (int fd, msghdr* message, int flags), (fd, message, flags))                                   \
  CALL(recvmmsg, int, (int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout),                       \
       (fd, messages, count, flags, timeout))                                                                          \
  CALL(write, ssize_t, (int fd, const void* from, size_t size), (fd, from, size))                                      \
  CALL(__write_nocancel, ssize_t, (int fd, const void* from, size_t size), (fd, from, size))                           \
  CALL(writev, ssize_t, (int fd, const iovec* parts, int count), (fd, parts, count))                                   \
  CALL(pwritev2, ssize_t, (int fd, const iovec* parts, int count, off_t at, int flags), (fd, parts, count, at, flags)) \
  CALL(send, ssize_t, (int fd, const void* from, size_t size, int flags), (fd, from, size, flags))                     \
  CALL(sendto, ssize_t, (int fd, const void* from, size_t size, int flags, const sockaddr* to, socklen_t length),      \
       (fd, from, size, flags, to, length))                                                                            \
  CALL(sendmsg, ssize_t, (int fd, const msghdr* message, int flags), (fd, message, flags))                             \
  CALL(sendmmsg, int, (int fd, mmsghdr* messages, unsigned count, int flags), (fd, messages, count, flags))            \
  CALL(sendfile, ssize_t, (int to, int from, off_t* at, size_t size), (to, from, at, size))                            \
  CALL(splice, ssize_t, (int from, off64_t* from_at, int to, off64_t* to_at, size_t size, unsigned flags),             \
       (from, from_at, to, to_at, size, flags))                                                                        \
  CALL(socket, int, (int domain, int type, int protocol), (domain, type, protocol))                                    \
  CALL(accept, int, (int fd, sockaddr* from, socklen_t* length), (fd, from, length))                                   \
  CALL(accept4, int, (int fd, sockaddr* from, socklen_t* length, int flags), (fd, from, length, flags))                \
  CALL(connect, int, (int fd, const sockaddr* to, socklen_t length), (fd, to, length))                                 \
  CALL(listen, int, (int fd, int backlog), (fd, backlog))                                                              \
  CALL(shutdown, int, (int fd, int how), (fd, how))                                                                    \
  CALL(getsockopt, int, (int fd, int level, int name, void* value, socklen_t* length),                                 \
       (fd, level, name, value, length))                                                                               \
  CALL(setsockopt, int, (int fd, int level, int name, const void* value, socklen_t length),                            \
       (fd, level, name, value, length))                                                                               \
  CALL(fcntl, int, (int fd, int command, void* argument), (fd, command, argument))                                     \
  CALL(ioctl, int, (int fd, unsigned long request, void* argument), (fd, request, argument))                           \
  CALL(close, int, (int fd), (fd))                                                                                     \
  CALL(__close_nocancel, int, (int fd), (fd))                                                                          \
  CALL(close_range, int, (unsigned first, unsigned last, int flags), (first, last, flags))                             \
  CALL(dup, int, (int fd), (fd))                                                                                       \
  CALL(dup2, int, (int fd, int to), (fd, to))                                                                          \
  CALL(dup3, int, (int fd, int to, int flags), (fd, to, flags))                                                        \
  CALL(fork, pid_t, (), ())                                                                                            \
  CALL(_Fork, pid_t, (), ())                                                                                           \
  CALL(clone, int, (int (*function)(void*), void* stack, int flags, void* argument),                                   \
       (function, stack, flags, argument))                                                                             \
  CALL(execve, int, (const char* path, char* const* arguments, char* const* environment),                              \
       (path, arguments, environment))                                                                                 \
  CALL(execveat, int, (int folder, const char* path, char* const* arguments, char* const* environment, int flags),     \
       (folder, path, arguments, environment, flags))                                                                  \
  CALL(prctl, int, (int option, long a, long b, long c, long d), (option, a, b, c, d))                                 \
  CALL(fexecve, int, (int fd, char* const* arguments, char* const* environment), (fd, arguments, environment))         \
  CALL(syscall, long, (long number, long a, long b, long c, long d, long e, long f), (number, a, b, c, d, e, f))

/** Wait for descriptors: readiness/hooks.cc. */
#define SOCKDOC_WAITING_CALLS(CALL)                                                                                 \
  CALL(select, int, (int count, fd_set* in, fd_set* out, fd_set* error, timeval* timeout),                          \
       (count, in, out, error, timeout))                                                                            \
  CALL(pselect, int,                                                                                                \
       (int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout, const sigset_t* mask),          \
       (count, in, out, error, timeout, mask))                                                                      \
  CALL(poll, int, (pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))                                 \
  CALL(ppoll, int, (pollfd * fds, nfds_t count, const timespec* timeout, const sigset_t* mask),                     \
       (fds, count, timeout, mask))                                                                                 \
  CALL(epoll_create, int, (int size), (size))                                                                       \
  CALL(epoll_create1, int, (int flags), (flags))                                                                    \
  CALL(epoll_ctl, int, (int set, int operation, int fd, epoll_event* event), (set, operation, fd, event))           \
  CALL(epoll_wait, int, (int set, epoll_event* events, int count, int timeout), (set, events, count, timeout))      \
  CALL(epoll_pwait, int, (int set, epoll_event* events, int count, int timeout, const sigset_t* mask),              \
       (set, events, count, timeout, mask))                                                                         \
  CALL(epoll_pwait2, int, (int set, epoll_event* events, int count, const timespec* timeout, const sigset_t* mask), \
       (set, events, count, timeout, mask))

/** Passed on as they are, as long as all bytes go by the kernel. */
#define SOCKDOC_FORWARDED_CALLS(CALL) CALL(bind, int, (int fd, const sockaddr* to, socklen_t length), (fd, to, length))

/**
 * Never patched: inside they jump to a call above. Without patches that jump stays within libc, so symbols have to
 * interpose them too.
 */
#define SOCKDOC_DELEGATING_CALLS(CALL)                                                                                \
  CALL(__read_chk, ssize_t, (int fd, void* into, size_t size, size_t room), (fd, into, size, room))                   \
  CALL(__recv_chk, ssize_t, (int fd, void* into, size_t size, size_t room, int flags), (fd, into, size, room, flags)) \
  CALL(__recvfrom_chk, ssize_t,                                                                                       \
       (int fd, void* into, size_t size, size_t room, int flags, sockaddr* from, socklen_t* length),                  \
       (fd, into, size, room, flags, from, length))                                                                   \
  CALL(__poll_chk, int, (pollfd * fds, nfds_t count, int timeout, size_t room), (fds, count, timeout, room))          \
  CALL(__ppoll_chk, int, (pollfd * fds, nfds_t count, const timespec* timeout, const sigset_t* mask, size_t room),    \
       (fds, count, timeout, mask, room))                                                                             \
  CALL(closefrom, void, (int first), (first))

#define SOCKDOC_CALLS(CALL)     \
  SOCKDOC_TRACKED_CALLS(CALL)   \
  SOCKDOC_WAITING_CALLS(CALL)   \
  SOCKDOC_FORWARDED_CALLS(CALL) \
  SOCKDOC_DELEGATING_CALLS(CALL)

/** Other names that programs and libraries were linked with: ALIAS(name, call). */
#define SOCKDOC_ALIASES(ALIAS) \
  ALIAS(__read, read)          \
  ALIAS(__write, write)        \
  ALIAS(__close, close)        \
  ALIAS(__connect, connect)    \
  ALIAS(__send, send)          \
  ALIAS(__select, select)      \
  ALIAS(__poll, poll)          \
  ALIAS(__fcntl, fcntl)        \
  ALIAS(fcntl64, fcntl)        \
  ALIAS(__dup2, dup2)          \
  ALIAS(__fork, fork)          \
  ALIAS(__clone, clone)        \
  ALIAS(sendfile64, sendfile)  \
  ALIAS(preadv64v2, preadv2)   \
  ALIAS(pwritev64v2, pwritev2)

#define SOCKDOC_DECLARE(symbol, result, parameters, arguments) \
  result sockdoc_hook_##symbol parameters;                     \
  extern result(*sockdoc_original_##symbol) parameters;        \
  extern result(*sockdoc_export_##symbol) parameters;

extern "C" {
SOCKDOC_CALLS(SOCKDOC_DECLARE)
}
#undef SOCKDOC_DECLARE
