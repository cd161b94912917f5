#include "preload/connection/handing_over.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "base/raw.h"
#include "preload/connection/connections.h"
#include "preload/monitor/link.h"
#include "preload/readiness/user_memory.h"
#include "preload/table/open_descriptors.h"

namespace sockdoc::preload {
namespace {

bool inheritable(int fd) {
  const long flags = raw(SYS_fcntl, fd, F_GETFD, 0);
  return !failed(flags) && (flags & FD_CLOEXEC) == 0;
}

std::uint64_t cookie_of(int fd) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return failed(raw(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length)) ? 0 : cookie;
}

/** /proc/PROCESS/FOLDER/FD. */
class ProcPath {
 public:
  ProcPath(long process, const char* folder, int fd) {
    add("/proc/");
    add(process);
    add(folder);
    add(fd);
  }
  [[nodiscard]] const char* text() const { return text_; }

 private:
  void add(const char* text) {
    while (*text != 0) text_[length_++] = *text++;
  }
  void add(long number) {
    char digits[20];
    int count = 0;
    do digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0) text_[length_++] = digits[--count];
  }

  char text_[64] = {};
  std::size_t length_ = 0;
};

/** Whether another process has the same file by this number, for its programs too. What cannot be read it has not. */
bool inherited_from(long process, int fd) {
  char theirs[64] = {};
  char ours[64] = {};
  const ProcPath their_link(process, "/fd/", fd);
  const ProcPath our_link(raw(SYS_getpid), "/fd/", fd);
  if (failed(raw(SYS_readlinkat, AT_FDCWD, their_link.text(), theirs, sizeof theirs - 1)) ||
      failed(raw(SYS_readlinkat, AT_FDCWD, our_link.text(), ours, sizeof ours - 1)) || std::strcmp(theirs, ours) != 0) {
    return false;
  }
  const ProcPath path(process, "/fdinfo/", fd);
  const long file = raw(SYS_openat, AT_FDCWD, path.text(), O_RDONLY | O_CLOEXEC, 0);
  if (failed(file)) return false;
  char text[256] = {};
  raw(SYS_read, file, text, sizeof text - 1);
  raw(SYS_close, file);
  const char* line = std::strstr(text, "flags:");
  if (line == nullptr) return false;
  line += std::strlen("flags:");
  while (*line == '\t' || *line == ' ') line++;
  unsigned long flags = 0;
  for (; *line >= '0' && *line <= '7'; line++) flags = flags * 8 + static_cast<unsigned long>(*line - '0');
  return (flags & O_CLOEXEC) == 0;
}

/** As far as one can know before. */
bool will_execute(int folder, const char* path, int flags) {
  constexpr long kFaccessat2 = 439;  // since Linux 5.8
  constexpr int kExecutable = 1;
  const int empty = flags & AT_EMPTY_PATH;
  long answer = raw(kFaccessat2, folder, path, kExecutable, AT_EACCESS | empty);
  if (answer == -ENOSYS) answer = empty != 0 ? 0 : raw(SYS_faccessat, folder, path, kExecutable);
  struct stat info = {};
  return !failed(answer) && !failed(raw(SYS_newfstatat, folder, path, &info, empty)) && S_ISREG(info.st_mode);
}

/** A reset on both sides; what the kernel holds unread of it goes too. */
void reset(int fd) {
  sockaddr nowhere = {};
  nowhere.sa_family = AF_UNSPEC;
  if (!failed(raw(SYS_connect, fd, &nowhere, sizeof nowhere))) return;
  // A thread sleeps in it, and some kernels refuse then.
  const struct { int on, seconds; } at_once = {1, 0};
  raw(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  raw(SYS_shutdown, fd, SHUT_RDWR);
}

/** The owner's record of a socket that a child on its memory has by `fd`. */
Connection* lent(int fd) {
  const std::uint64_t cookie = cookie_of(fd);
  if (cookie == 0) return nullptr;
  Connection* found = connection_of(table.find(fd));
  if (found != nullptr && found->cookie() == cookie) return found;
  found = nullptr;
  connections.each([&](Connection& connection) {
    if (connection.cookie() == cookie) found = &connection;
  });
  return found;
}

/** Whether one of the texts has this number in it, as a program is told which descriptor it gets. */
bool named(int fd, char* const* texts) {
  for (; texts != nullptr && *texts != nullptr; texts++) {
    for (const char* at = *texts; *at != 0;) {
      if (*at < '0' || *at > '9') {
        at++;
        continue;
      }
      long number = 0;
      for (; *at >= '0' && *at <= '9'; at++) number = number > INT_MAX ? number : number * 10 + (*at - '0');
      if (number == fd) return true;
    }
  }
  return false;
}

/** The socket goes to who reads from the kernel alone: what is unread comes by it, or the connection ends. */
void give_to_kernel(Connection& connection, int fd, abi::Reason reason, std::uint64_t deadline) {
  if (connection.hand_over(fd, reason, deadline) && !connection.has_unread()) return;
  Connection* peer = nullptr;
  int peer_fd = -1;
  connections.each([&](Connection& other) {
    if (connection.faces(other)) peer = &other;
  });
  table.each([&](int other, Handle socket) {
    if (peer != nullptr && socket.word() == peer->handle().word()) peer_fd = other;
  });
  if (peer_fd >= 0 && connection.set_aside(fd, deadline) && connection.send_anew(fd, *peer, peer_fd, deadline)) return;
  reset(fd);
}

void pass(int fd) {
  const Handle socket = table.find(fd);
  if (!socket) return;
  table.raise(socket, kUncounted);
  connections.stay(socket, abi::Reason::passed_on);
  Connection* connection = connection_of(socket);
  if (connection != nullptr) give_to_kernel(*connection, fd, abi::Reason::passed_on, coarse_ms() + kPatienceMs);
}

}  // namespace

[[gnu::noinline]] void before_exec(const Successor& next) {
  table.leave_to_next_program();
  if (next.path == nullptr || !connections.any()) return;
  const bool on_loan = table.on_loan();
  const bool executes = will_execute(next.folder, next.path, next.flags);
  const bool has_libsd = brings_libsd(next.fit, next.environment);
  const std::uint64_t deadline = coarse_ms() + kPatienceMs;
  each_open_descriptor([&](int fd) {
    if (!inheritable(fd)) return;
    Connection* connection = on_loan ? lent(fd) : connection_of(table.find(fd));
    if (connection == nullptr) return;
    const bool ours = !on_loan && connection->here();
    if (!ours && fd > STDERR_FILENO && !named(fd, next.arguments) && !named(fd, next.environment) &&
        inherited_from(connection->process(), fd)) {
      if (has_libsd) (void)connection->leave_unread(true);
      return;
    }
    if (!executes || has_libsd) {
      const bool over = connection->hand_over(fd, abi::Reason::executed, deadline) && !connection->has_unread();
      if (over || !executes || (connection->set_aside(fd, deadline) && connection->leave_unread(true))) return;
    }
    give_to_kernel(*connection, fd, abi::Reason::executed, deadline);
  });
}

void all_go_back(abi::Reason reason) {
  connections.stop(reason);
  const std::uint64_t deadline = coarse_ms() + kPatienceMs;
  table.each([&](int fd, Handle socket) {
    Connection* connection = connection_of(socket);
    if (connection != nullptr) give_to_kernel(*connection, fd, reason, deadline);
  });
}

void before_passing(const msghdr* message) {
  if (!monitor_link.wanted() || !readable(message, sizeof *message) || message->msg_control == nullptr ||
      message->msg_controllen < sizeof(cmsghdr) || !readable(message->msg_control, message->msg_controllen)) {
    return;
  }
  const auto* at = static_cast<const std::byte*>(message->msg_control);
  std::size_t left = message->msg_controllen;
  while (left >= sizeof(cmsghdr)) {
    cmsghdr header;
    std::memcpy(&header, at, sizeof header);
    if (header.cmsg_len < sizeof header || header.cmsg_len > left) return;
    if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS) {
      for (std::size_t data = sizeof header; data + sizeof(int) <= header.cmsg_len; data += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, at + data, sizeof fd);
        pass(fd);
      }
    }
    const std::size_t step = CMSG_ALIGN(header.cmsg_len);
    if (step >= left) return;
    at += step;
    left -= step;
  }
}

}  // namespace sockdoc::preload
