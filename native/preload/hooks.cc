#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "preload/exec/environment.h"
#include "preload/tracking.h"

/* The hooks: what the program calls instead of libc. */
// NOLINTBEGIN: the names and types are libc's
using namespace sockdoc::preload;

extern "C" {

ssize_t sockdoc_hook_read(int fd, void* into, size_t size) {
  return receiving(fd, Parts::of(into, size), 0, kCancellable, nullptr, SOCKDOC_CALL(read, fd, into, size));
}
ssize_t sockdoc_hook___read_nocancel(int fd, void* into, size_t size) {
  return receiving(fd, Parts::of(into, size), 0, kNotCancellable, nullptr,
                   SOCKDOC_CALL(__read_nocancel, fd, into, size));
}
ssize_t sockdoc_hook___read_chk(int fd, void* into, size_t size, size_t room) {
  if (size > room) return sockdoc_original___read_chk(fd, into, size, room);  // ends the program
  return receiving(fd, Parts::of(into, size), 0, kCancellable, nullptr, SOCKDOC_CALL(__read_chk, fd, into, size, room));
}
ssize_t sockdoc_hook_readv(int fd, const iovec* parts, int count) {
  return receiving(fd, Parts::of(parts, count), 0, kCancellable, nullptr, SOCKDOC_CALL(readv, fd, parts, count));
}
// At offset -1 it is readv(); at others a socket has ESPIPE.
ssize_t sockdoc_hook_preadv2(int fd, const iovec* parts, int count, off_t at, int flags) {
  if (at != -1) return sockdoc_original_preadv2(fd, parts, count, at, flags);
  return receiving(fd, Parts::of(parts, count), flags_of_read(flags), kCancellable, nullptr,
                   SOCKDOC_CALL(preadv2, fd, parts, count, at, flags));
}
ssize_t sockdoc_hook_recv(int fd, void* into, size_t size, int flags) {
  return receiving(fd, Parts::at_most(into, size), flags, kCancellable, nullptr,
                   SOCKDOC_CALL(recv, fd, into, size, flags));
}
ssize_t sockdoc_hook___recv_chk(int fd, void* into, size_t size, size_t room, int flags) {
  if (size > room) return sockdoc_original___recv_chk(fd, into, size, room, flags);
  return receiving(fd, Parts::at_most(into, size), flags, kCancellable, nullptr,
                   SOCKDOC_CALL(__recv_chk, fd, into, size, room, flags));
}
ssize_t sockdoc_hook_recvfrom(int fd, void* into, size_t size, int flags, sockaddr* from, socklen_t* length) {
  return receiving(fd, Parts::at_most(into, size), flags, kCancellable, from == nullptr ? nullptr : length,
                   SOCKDOC_CALL(recvfrom, fd, into, size, flags, from, length));
}
ssize_t sockdoc_hook___recvfrom_chk(int fd, void* into, size_t size, size_t room, int flags, sockaddr* from,
                                    socklen_t* length) {
  if (size > room) return sockdoc_original___recvfrom_chk(fd, into, size, room, flags, from, length);
  return receiving(fd, Parts::at_most(into, size), flags, kCancellable, from == nullptr ? nullptr : length,
                   SOCKDOC_CALL(__recvfrom_chk, fd, into, size, room, flags, from, length));
}
ssize_t sockdoc_hook_recvmsg(int fd, msghdr* message, int flags) {
  return receiving_message(fd, message, flags, kCancellable, SOCKDOC_CALL(recvmsg, fd, message, flags));
}
int sockdoc_hook_recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  return receiving_messages(fd, messages, count, flags, timeout,
                            SOCKDOC_CALL(recvmmsg, fd, messages, count, flags, timeout));
}

ssize_t sockdoc_hook_write(int fd, const void* from, size_t size) {
  return sending(fd, Parts::of(from, size), 0, kCancellable, SOCKDOC_CALL(write, fd, from, size));
}
ssize_t sockdoc_hook___write_nocancel(int fd, const void* from, size_t size) {
  return sending(fd, Parts::of(from, size), 0, kNotCancellable, SOCKDOC_CALL(__write_nocancel, fd, from, size));
}
ssize_t sockdoc_hook_writev(int fd, const iovec* parts, int count) {
  return sending(fd, Parts::of(parts, count), 0, kCancellable, SOCKDOC_CALL(writev, fd, parts, count));
}
ssize_t sockdoc_hook_pwritev2(int fd, const iovec* parts, int count, off_t at, int flags) {
  if (at != -1) return sockdoc_original_pwritev2(fd, parts, count, at, flags);
  return sending(fd, Parts::of(parts, count), flags_of_read(flags), kCancellable,
                 SOCKDOC_CALL(pwritev2, fd, parts, count, at, flags));
}
ssize_t sockdoc_hook_send(int fd, const void* from, size_t size, int flags) {
  return sending(fd, Parts::at_most(from, size), flags, kCancellable, SOCKDOC_CALL(send, fd, from, size, flags));
}
ssize_t sockdoc_hook_sendto(int fd, const void* from, size_t size, int flags, const sockaddr* to, socklen_t length) {
  return sending(fd, Parts::at_most(from, size), flags, kCancellable,
                 SOCKDOC_CALL(sendto, fd, from, size, flags, to, length));
}
ssize_t sockdoc_hook_sendmsg(int fd, const msghdr* message, int flags) {
  return sending_message(fd, message, flags, kCancellable, SOCKDOC_CALL(sendmsg, fd, message, flags));
}
int sockdoc_hook_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  return sending_messages(fd, messages, count, flags, SOCKDOC_CALL(sendmmsg, fd, messages, count, flags));
}
ssize_t sockdoc_hook_sendfile(int to, int from, off_t* at, size_t size) {
  return sending_natively(to, SOCKDOC_CALL(sendfile, to, from, at, size));
}
ssize_t sockdoc_hook_splice(int from, off64_t* from_at, int to, off64_t* to_at, size_t size, unsigned flags) {
  return splicing(from, to, size, flags, SOCKDOC_CALL(splice, from, from_at, to, to_at, size, flags));
}

int sockdoc_hook_socket(int domain, int type, int protocol) {
  return opening(domain, type, protocol, SOCKDOC_CALL(socket, domain, type, protocol));
}
int sockdoc_hook_accept(int fd, sockaddr* from, socklen_t* length) {
  return accepting(fd, 0, SOCKDOC_CALL(accept, fd, from, length));
}
int sockdoc_hook_accept4(int fd, sockaddr* from, socklen_t* length, int flags) {
  return accepting(fd, flags, SOCKDOC_CALL(accept4, fd, from, length, flags));
}
int sockdoc_hook_connect(int fd, const sockaddr* to, socklen_t length) {
  return connecting(fd, to, length, SOCKDOC_CALL(connect, fd, to, length));
}
int sockdoc_hook_listen(int fd, int backlog) {
  const int result = sockdoc_original_listen(fd, backlog);
  if (result == 0) table.become(table.find(fd), SOCKDOC_SOCKET_LISTENER);
  return result;
}
int sockdoc_hook_shutdown(int fd, int how) { return shutting_down(fd, how, SOCKDOC_CALL(shutdown, fd, how)); }
int sockdoc_hook_setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
  return setting_option(fd, level, name, value, length, SOCKDOC_CALL(setsockopt, fd, level, name, value, length));
}
int sockdoc_hook_getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  return telling_option(fd, level, name, value, length, SOCKDOC_CALL(getsockopt, fd, level, name, value, length));
}
int sockdoc_hook_fcntl(int fd, int command, void* argument) {
  return controlling(fd, command, reinterpret_cast<long>(argument), SOCKDOC_CALL(fcntl, fd, command, argument));
}
int sockdoc_hook_ioctl(int fd, unsigned long request, void* argument) {
  return requesting(fd, request, argument, SOCKDOC_CALL(ioctl, fd, request, argument));
}

int sockdoc_hook_close(int fd) { return closing(fd, SOCKDOC_CALL(close, fd)); }
int sockdoc_hook___close_nocancel(int fd) { return closing(fd, SOCKDOC_CALL(__close_nocancel, fd)); }
int sockdoc_hook_close_range(unsigned first, unsigned last, int flags) {
  return closing_range(first, last, static_cast<unsigned>(flags),
                       [&](unsigned from, unsigned to) { return sockdoc_original_close_range(from, to, flags); });
}
void sockdoc_hook_closefrom(int first) {
  const unsigned from = first < 0 ? 0 : static_cast<unsigned>(first);
  if (sockdoc_hook_close_range(from, ~0U, 0) == 0) return;
  sockdoc_original_closefrom(first);  // it knows what to do without close_range(2)
  table.forget_range(from, ~0U);
}
int sockdoc_hook_dup(int fd) { return duplicating(fd, SOCKDOC_CALL(dup, fd)); }
int sockdoc_hook_dup2(int fd, int to) { return replacing(fd, to, SOCKDOC_CALL(dup2, fd, to)); }
int sockdoc_hook_dup3(int fd, int to, int flags) { return replacing(fd, to, SOCKDOC_CALL(dup3, fd, to, flags)); }

pid_t sockdoc_hook_fork() { return forking(SOCKDOC_CALL(fork)); }
pid_t sockdoc_hook__Fork() { return forking(SOCKDOC_CALL(_Fork)); }

int sockdoc_hook_execve(const char* path, char* const* arguments, char* const* environment) {
  return executing({AT_FDCWD, path, 0, arguments, environment, fit_of_target(AT_FDCWD, path, 0)},
                   [&](char* const* changed) { return sockdoc_original_execve(path, arguments, changed); });
}
int sockdoc_hook_execveat(int folder, const char* path, char* const* arguments, char* const* environment, int flags) {
  return executing(
      {folder, path, flags, arguments, environment, fit_of_target(folder, path, flags)},
      [&](char* const* changed) { return sockdoc_original_execveat(folder, path, arguments, changed, flags); });
}
int sockdoc_hook_fexecve(int fd, char* const* arguments, char* const* environment) {
  return executing({fd, "", AT_EMPTY_PATH, arguments, environment, fit_of_target(fd, "", AT_EMPTY_PATH)},
                   [&](char* const* changed) { return sockdoc_original_fexecve(fd, arguments, changed); });
}

int sockdoc_hook_prctl(int option, long a, long b, long c, long d) {
  return limiting(option == PR_SET_SECCOMP && (a == SECCOMP_MODE_STRICT || b != 0),
                  SOCKDOC_CALL(prctl, option, a, b, c, d));
}

#define SOCKDOC_FORWARD(symbol, result, parameters, arguments) \
  result sockdoc_hook_##symbol parameters { return sockdoc_original_##symbol arguments; }
SOCKDOC_FORWARDED_CALLS(SOCKDOC_FORWARD)
#undef SOCKDOC_FORWARD
}
// NOLINTEND
