#include "inject/process/epoll_sets.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <cstring>
#include <thread>

#include "base/fd.h"
#include "inject/victim.h"

namespace sockdoc::inject {
namespace {

constexpr int kSet = 100;
constexpr int kCopy = 101;

int wait_for_end(int test) {
  char end;
  return static_cast<int>(::recv(test, &end, 1, 0));
}

int make_set(int number) {
  const Fd set(::epoll_create1(EPOLL_CLOEXEC));
  return ::dup2(set.get(), number) == number ? number : -1;
}

bool send_descriptor(int by, int fd) {
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof fd)] = {};
  char byte = 'x';
  iovec part = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(by, &message, 0) == 1;
}

Fd receive_descriptor(int by) {
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec part = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  int fd = -1;
  if (::recvmsg(by, &message, 0) == 1) std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return Fd(fd);
}

/** Has another process use our table of descriptors, too. */
void share_table() {
  if (::syscall(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, 0) != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::pause();
}

/** A thread that has a table of its own, a copy of ours. */
std::thread with_own_table() {
  std::atomic<bool> ready{false};
  std::thread other([&] {
    ::unshare(CLONE_FILES);
    ready = true;
    ::pause();
  });
  while (!ready) ::usleep(1000);
  return other;
}

/** "2 sets, own: 100+101", or the reason why this kernel, or our rights, do not tell. */
std::string told(pid_t pid, std::string& cannot) {
  EpollSetsCounter counter;
  counter.prepare(pid);
  const auto sets = counter.count();
  if (!sets) return "nothing";
  for (const int code : {EPERM, ENOENT, E2BIG}) {
    if (sets->unclear.ends_with(std::strerror(code))) cannot = sets->unclear;
  }
  if (!sets->unclear.empty()) return sets->unclear;
  std::string text = std::to_string(sets->count) + " sets, own:";
  for (const auto& numbers : sets->own) {
    for (const int number : numbers) text += (number == numbers.front() ? " " : "+") + std::to_string(number);
  }
  return text;
}

#define EXPECT_TOLD(victim, expected)                    \
  (victim).await(SYS_recvfrom);                          \
  std::string cannot;                                    \
  const std::string said = told((victim).pid(), cannot); \
  if (!cannot.empty()) GTEST_SKIP() << cannot;           \
  EXPECT_EQ(said, expected)

TEST(EpollSetsCounter, HasNothingToSayOfAProcessWithoutAny) {
  const Victim victim(wait_for_end);
  EXPECT_TOLD(victim, "nothing");
}

TEST(EpollSetsCounter, ASetIsItsProcesssAloneWithAllItsNumbers) {
  const Victim victim([](int test) {
    make_set(kSet);
    ::dup2(kSet, kCopy);
    make_set(kCopy + 1);
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "2 sets, own: 100+101 102");
}

TEST(EpollSetsCounter, AChildMayHaveItToo) {
  const Victim victim([](int test) {
    make_set(kSet);
    if (::fork() == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::pause();
    }
    make_set(kCopy);
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "2 sets, own: 101");
}

TEST(EpollSetsCounter, AMessageMayHoldIt) {
  const Victim victim([](int test) {
    int ends[2];
    make_set(kSet);
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || !send_descriptor(ends[0], kSet)) return 1;
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "1 sets, own:");
}

TEST(EpollSetsCounter, AMessageThatNobodyHasAcceptedYetMayHoldIt) {
  const Victim victim([](int test) {
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const int opener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr any = {AF_UNIX, {}};
    sockaddr_storage address = {};
    socklen_t length = sizeof address;
    make_set(kSet);
    if (::bind(listener, &any, sizeof any.sa_family) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        ::connect(opener, reinterpret_cast<sockaddr*>(&address), length) != 0 || !send_descriptor(opener, kSet)) {
      return 1;
    }
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "1 sets, own:");
}

TEST(EpollSetsCounter, ASetOfAnotherProcessMayHaveItAsAMember) {
  const Victim victim([](int test) {
    make_set(kSet);
    if (!send_descriptor(test, kSet)) return 1;
    return wait_for_end(test);
  });
  const Fd outer(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event = {};
  {
    const Fd theirs = receive_descriptor(victim.peer());
    ASSERT_EQ(::epoll_ctl(outer.get(), EPOLL_CTL_ADD, theirs.get(), &event), 0);
  }
  EXPECT_TOLD(victim, "1 sets, own:");
}

TEST(EpollSetsCounter, AnotherProcessMayUseTheSameTable) {
  const Victim victim([](int test) {
    make_set(kSet);
    share_table();
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "1 sets, own:");
}

TEST(EpollSetsCounter, AThreadMayHaveATableOfItsOwn) {
  const Victim victim([](int test) {
    make_set(kSet);
    const std::thread other = with_own_table();
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "1 sets, own:");
}

TEST(EpollSetsCounter, AsManyMayUseTheTableAsThereAreThreadsAndNotBeThose) {
  const Victim victim([](int test) {
    const std::thread other = with_own_table();
    make_set(kSet);
    share_table();
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "1 sets, own:");
}

/** So it has to be asked while all threads stand still. */
TEST(EpollSetsCounter, AThreadMayBeInACallOnIt) {
  const Victim victim([](int test) {
    make_set(kSet);
    std::atomic<pid_t> thread{0};
    std::thread other([&] {
      epoll_event event;
      thread = static_cast<pid_t>(::syscall(SYS_gettid));
      ::epoll_wait(kSet, &event, 1, -1);
    });
    SystemCall call;
    while (read_system_call(::getpid(), thread, call) != Activity::sleeping) ::usleep(1000);
    return wait_for_end(test);
  });
  EXPECT_TOLD(victim, "1 sets, own:");
}

}  // namespace
}  // namespace sockdoc::inject
