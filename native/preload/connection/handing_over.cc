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
#include "preload/readiness/sets.h"
#include "preload/readiness/sleepers.h"
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

/** A number in decimal digits, for paths of /proc. */
class Digits {
 public:
  explicit Digits(long number) {
    int at = sizeof text_ - 1;
    do text_[--at] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    first_ = at;
  }
  [[nodiscard]] const char* text() const { return text_ + first_; }

 private:
  char text_[21] = {};
  int first_;
};

/** The number behind a name in a file of /proc/PID/fdinfo; -1 where it is not. */
long number_in(const char* text, const char* name, int base) {
  const char* at = std::strstr(text, name);
  if (at == nullptr) return -1;
  at += std::strlen(name);
  while (*at == '\t' || *at == ' ') at++;
  long number = 0;
  for (; *at >= '0' && *at < '0' + base; at++) number = number * base + (*at - '0');
  return number;
}

/**
 * What a process has by its numbers. A server may have thousands that it leaves to each of its children, so a look is
 * as cheap as /proc allows.
 */
class TheirDescriptors {
 public:
  TheirDescriptors() = default;
  ~TheirDescriptors() { leave(); }
  TheirDescriptors(const TheirDescriptors&) = delete;
  TheirDescriptors& operator=(const TheirDescriptors&) = delete;

  /** Whether `process` has our file by this number too, and for its programs. What cannot be read it has not. */
  [[nodiscard]] bool inherited(long process, int fd) {
    if (!enter(process)) return false;
    const Digits name(fd);
    const long file = raw(SYS_openat, folder_, name.text(), O_RDONLY | O_CLOEXEC, 0);
    if (failed(file)) return false;
    char text[256] = {};
    raw(SYS_read, file, text, sizeof text - 1);
    raw(SYS_close, file);
    const long flags = number_in(text, "flags:", 8);
    return flags >= 0 && (flags & O_CLOEXEC) == 0 && same(fd, number_in(text, "ino:", 10));
  }

 private:
  bool enter(long process) {
    if (process == process_) return !failed(folder_);
    leave();
    process_ = process;
    char path[48] = "/proc/";
    std::strcat(std::strcat(path, Digits(process).text()), "/fdinfo");
    folder_ = raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    return !failed(folder_);
  }
  void leave() {
    if (!failed(folder_)) raw(SYS_close, folder_);
    folder_ = -1;
  }
  /** `inode`: of theirs; unknown before Linux 5.14. */
  [[nodiscard]] bool same(int fd, long inode) const {
    struct stat info = {};
    if (inode >= 0) return !failed(raw(SYS_fstat, fd, &info)) && info.st_ino == static_cast<ino_t>(inode);
    char theirs[64] = {};
    char ours[64] = {};
    return link_of(process_, fd, theirs) && link_of(raw(SYS_getpid), fd, ours) && std::strcmp(theirs, ours) == 0;
  }
  static bool link_of(long process, int fd, char (&into)[64]) {
    char path[64] = "/proc/";
    std::strcat(std::strcat(path, Digits(process).text()), "/fd/");
    return !failed(raw(SYS_readlinkat, AT_FDCWD, std::strcat(path, Digits(fd).text()), into, sizeof into - 1));
  }

  long process_ = 0;
  long folder_ = -1;
};

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

/**
 * The descriptors that a program is told of: the standard ones, and each number in its arguments and environment. What
 * stood in the environment when we were started tells of what we were started with.
 */
class ToldOf {
 public:
  enum class About { all, sockets_of_ours };

  ToldOf(const Successor& next, About about) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) add(fd);
    for (char* const* one = next.arguments; one != nullptr && *one != nullptr; one++) read(*one);
    for (char* const* one = next.environment; one != nullptr && *one != nullptr; one++) {
      if (about == About::all || !was_there_at_start(*one)) read(*one);
    }
  }
  [[nodiscard]] bool has(int fd) const {
    const auto number = static_cast<unsigned>(fd);
    return number < kMost ? (words_[number / kBits] >> number % kBits & 1) != 0 : beyond_;
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (unsigned word = 0; word < kMost / kBits; word++) {
      for (std::uint64_t rest = words_[word]; rest != 0; rest &= rest - 1) {
        visit(static_cast<int>(word * kBits + static_cast<unsigned>(__builtin_ctzll(rest))));
      }
    }
  }

 private:
  static constexpr unsigned kMost = 4096;  // on a stack that may be small
  static constexpr unsigned kBits = 64;

  void add(long number) {
    if (number < kMost) {
      words_[number / kBits] |= std::uint64_t{1} << number % kBits;
    } else {
      beyond_ = true;
    }
  }
  void read(const char* at) {
    while (*at != 0) {
      if (*at < '0' || *at > '9') {
        at++;
        continue;
      }
      long number = 0;
      for (; *at >= '0' && *at <= '9'; at++) number = number > INT_MAX ? number : number * 10 + (*at - '0');
      add(number);
    }
  }

  std::uint64_t words_[kMost / kBits] = {};
  bool beyond_ = false;  // one of the numbers is larger
};

/** The socket is older than this program, or came from another process. */
bool is_inherited(const Connection& connection) {
  const SocketState* state = table.state(connection.handle());
  return state == nullptr || state->kind.load() == SOCKDOC_SOCKET_INHERITED;
}

/** The socket goes to who reads from the kernel alone: what is unread comes by it, or the connection ends. */
void give_to_kernel(Connection& connection, int fd, abi::Reason reason, std::uint64_t deadline) {
  if (connection.hand_over(fd, reason, deadline) && !connection.has_unread()) return;
  Connection* peer = nullptr;
  int peer_fd = -1;
  connections.each([&](Connection& other) {
    if (connection.faces(other)) peer = &other;
  });
  // In a child of vfork() the number may mean something else by now.
  table.each([&](int other, Handle socket) {
    const bool found = peer != nullptr && socket.word() == peer->handle().word();
    if (found && cookie_of(other) == peer->cookie()) peer_fd = other;
  });
  const bool done = peer_fd >= 0
                        ? connection.set_aside(fd, deadline) && connection.send_anew(fd, *peer, peer_fd, deadline)
                        : connection.return_to_kernel(fd, deadline);
  if (done) return;
  reset_connection(fd);
  connection.was_reset();
}

void pass(int fd) {
  const Handle socket = table.find(fd);
  if (!socket) return;
  if (EpollSet* set = epoll_sets.find(socket); set != nullptr) set->keep_all(abi::Reason::set_shared);
  table.raise(socket, kUncounted);
  connections.stay(socket, abi::Reason::passed_on);
  Connection* connection = connection_of(socket);
  if (connection != nullptr) give_to_kernel(*connection, fd, abi::Reason::passed_on, coarse_ms() + kPatienceMs);
}

}  // namespace

void reset_connection(int fd) {
  sockaddr nowhere = {};
  nowhere.sa_family = AF_UNSPEC;
  if (!failed(raw(SYS_connect, fd, &nowhere, sizeof nowhere))) return;
  // A thread sleeps in it, and some kernels refuse then.
  const struct { int on, seconds; } at_once = {1, 0};
  raw(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  raw(SYS_shutdown, fd, SHUT_RDWR);
}

[[gnu::noinline]] void before_exec(const Successor& next) {
  const bool on_loan = table.on_loan();
  if (!on_loan) table.before_exec();
  epoll_sets.before_exec();
  if (next.path == nullptr) return;
  if (!on_loan && !connections.any()) return;
  const bool executes = will_execute(next.folder, next.path, next.flags);
  const bool has_libsd = brings_libsd(next.fit, next.environment);
  const std::uint64_t deadline = coarse_ms() + kPatienceMs;
  const ToldOf told(next, ToldOf::About::all);
  const ToldOf told_of_ours(next, ToldOf::About::sockets_of_ours);
  TheirDescriptors parents;
  const auto prepare = [&](int fd) {
    if (!inheritable(fd)) return;
    if (on_loan) table.raise(table.find(fd), kUncounted);  // a second owner, whose bytes nobody counts
    Connection* connection = on_loan ? lent(fd) : connection_of(table.find(fd));
    if (connection == nullptr) return;
    const bool ours = !on_loan && connection->process() == table.process();
    const bool is_told = is_inherited(*connection) ? told.has(fd) : told_of_ours.has(fd);
    if (!executes && !is_told) return;
    if (!ours && !is_told && parents.inherited(connection->process(), fd)) {
      if (has_libsd) (void)connection->leave_unread(true);
      return;
    }
    if (!executes || has_libsd) {
      const bool over = connection->hand_over(fd, abi::Reason::executed, deadline) && !connection->has_unread();
      if (over || !executes || (connection->set_aside(fd, deadline) && connection->leave_unread(true))) return;
    }
    give_to_kernel(*connection, fd, abi::Reason::executed, deadline);
  };
  // Where it will fail, as while a PATH is tried, what could matter if it did not; the rest when it will not.
  if (!executes) return told.each(prepare);
  if (!each_open_descriptor(prepare)) table.each([&](int fd, Handle) { prepare(fd); });
}

void all_go_back(abi::Reason reason) {
  connections.stop(reason);
  epoll_sets.defer_no_more();
  const std::uint64_t deadline = coarse_ms() + kPatienceMs;
  table.each([&](int fd, Handle socket) {
    // Whoever gets what works on them may use them.
    if (epoll_sets.find(socket) != nullptr) table.raise(socket, kUncounted);
    Connection* connection = connection_of(socket);
    if (connection != nullptr) give_to_kernel(*connection, fd, reason, deadline);
  });
}

void before_limiting() {
  if (!table.mine()) return;
  connections.stop(abi::Reason::switched_off);
  epoll_sets.defer_no_more();
  const std::uint64_t deadline = coarse_ms() + kPatienceMs;
  bool reads_from_memory = false;
  table.each([&](int fd, Handle socket) {
    Connection* connection = connection_of(socket);
    if (connection == nullptr) return;
    (void)connection->hand_over(fd, abi::Reason::switched_off, deadline);
    (void)connection->set_aside(fd, deadline);
    reads_from_memory = reads_from_memory || connection->has_unread();
  });
  connections.hold();  // nobody asks the monitor any more either
  if (!one_thread() || reads_from_memory || connections.left() != 0) return;
  epoll_sets.stop();
  monitor_link.end();
  table.look_no_more();
  table.forget_all();
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
