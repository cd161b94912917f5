#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "preload/readiness/set_members.h"
#include "readiness.h"

/* Changes of a set wait until the kernel is asked, but not while a child, or what came of one, has the set too. */
namespace sockdoc::preload {
namespace {

/** Says the end of whoever has it, or lets others wait for us. */
class Tether {
 public:
  Tether() { EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0); }
  ~Tether() {
    for (const int end : ends_) ::close(end);
  }
  Tether(const Tether&) = delete;
  Tether& operator=(const Tether&) = delete;
  /** This process lets go of its part. */
  void let_go() { ::close(std::exchange(ends_[1], -1)); }
  /** Until everybody has. */
  void wait() {
    let_go();
    char byte;
    EXPECT_EQ(::read(ends_[0], &byte, 1), 0);
  }
  [[nodiscard]] int reading() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

/** A set that a child has got, and a connection on rings that came after the fork. */
class LentSet {
 public:
  LentSet() {
    EXPECT_EQ(set_.add(first_.fd, EPOLLIN, 7), 0);
    EXPECT_TRUE(waits(first_)) << "before";
  }
  ~LentSet() {
    release();
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }
  LentSet(const LentSet&) = delete;
  LentSet& operator=(const LentSet&) = delete;

  /** `body` in a child, which ends then with what it says. */
  void fork(const std::function<int()>& body) {
    child_ = sockdoc_hook_fork();
    if (child_ == 0) {
      stays_.let_go();
      _exit(body());
    }
    forked();
  }
  void forked() {
    member_ = std::make_unique<RingedPair>();
    ASSERT_EQ(set_.add(member_->fd, EPOLLIN, 8), 0);
  }
  /** In a child. */
  void stay() { stays_.wait(); }
  int stays_until() const { return stays_.reading(); }
  /** Children that stay go on. */
  void release() { stays_.let_go(); }
  void ended(int with = 0) {
    int status = -1;
    EXPECT_GT(::waitpid(std::exchange(child_, 0), &status, 0), 0);
    EXPECT_EQ(status, with);
  }
  [[nodiscard]] pid_t child() const { return child_; }
  const Set& set() const { return set_; }
  const RingedPair& member() const { return *member_; }

  [[nodiscard]] bool comes_back() {
    for (int look = 0; look < 1000; look++) {
      if (waits(*member_)) return true;
      ::usleep(5000);
    }
    return false;
  }
  [[nodiscard]] bool stays_away() {
    for (int look = 0; look < 40; look++) {
      if (waits(*member_)) return false;
      ::usleep(2000);
    }
    return true;
  }

 private:
  /** Whether the second of two changes does. */
  [[nodiscard]] bool waits(const RingedPair& pair) const {
    const std::uint64_t data = &pair == &first_ ? 7 : 8;
    EXPECT_EQ(set_.change(pair.fd, EPOLLIN, data), 0);
    EXPECT_EQ(set_.ready(), "");
    EXPECT_EQ(set_.change(pair.fd, EPOLLRDHUP, data), 0);
    const bool result = epoll_sets.find(set_.fd)->deferred();
    EXPECT_EQ(set_.ready(1), "");
    return result;
  }

  Tether stays_;
  RingedPair first_;
  std::unique_ptr<RingedPair> member_;
  Set set_;
  pid_t child_ = 0;
};

TEST_F(Readiness, ChangesWaitAgainWhenTheChildHasEnded) {
  LentSet lent;
  for (int time = 0; time < 3; time++) {
    Tether line;
    lent.fork([&] {
      line.wait();
      return 0;
    });
    EXPECT_TRUE(lent.stays_away());
    line.let_go();
    EXPECT_TRUE(lent.comes_back()) << "though nobody has waited for it";
    lent.ended();
  }
}

TEST_F(Readiness, ChangesWaitAgainWhenTheChildWasKilled) {
  LentSet lent;
  lent.fork([&] {
    lent.stay();
    return 0;
  });
  EXPECT_TRUE(lent.stays_away());
  ::kill(lent.child(), SIGKILL);
  lent.ended(SIGKILL);
  EXPECT_TRUE(lent.comes_back());
}

TEST_F(Readiness, ChangesWaitAgainWhenTheChildHasClosedTheSet) {
  LentSet lent;
  lent.fork([&] {
    sockdoc_hook_close(lent.set().fd);
    lent.stay();
    return 0;
  });
  EXPECT_TRUE(lent.comes_back()) << "while it lives";
}

int execute_cat(int reads_from, int leaves) {
  ::dup2(reads_from, 0);
  if (leaves >= 0 && ::fcntl(leaves, F_SETFD, 0) != 0) return 1;
  const char* arguments[] = {"cat", nullptr};
  const char* environment[] = {nullptr};
  return sockdoc_hook_execve("/bin/cat", const_cast<char**>(arguments), const_cast<char**>(environment));
}

TEST_F(Readiness, ChangesWaitAgainWhenTheChildExecutesAProgramThatDoesNotGetTheSet) {
  LentSet lent;
  lent.fork([&] { return execute_cat(lent.stays_until(), -1); });
  EXPECT_TRUE(lent.comes_back()) << "while it runs";
}

TEST_F(Readiness, ChangesNeverWaitAgainWhereAProgramThatWasExecutedHasTheSet) {
  LentSet lent;
  lent.fork([&] { return execute_cat(lent.stays_until(), lent.set().fd); });
  EXPECT_TRUE(lent.stays_away());
  lent.release();
  lent.ended();
  EXPECT_TRUE(lent.stays_away()) << "it may have left it to others";
}

TEST_F(Readiness, ChangesNeverWaitAgainWhereAnotherNumberOfTheSetWasLeftToAProgram) {
  LentSet lent;
  lent.fork([&] { return execute_cat(lent.stays_until(), sockdoc_hook_dup(lent.set().fd)); });
  lent.release();
  lent.ended();
  EXPECT_TRUE(lent.stays_away());
}

TEST_F(Readiness, AnExecThatFailsGivesNothingAway) {
  LentSet lent;
  lent.fork([&] {
    const char* nothing[] = {nullptr};
    const int result = sockdoc_hook_execve("/nonexistent", const_cast<char**>(nothing), const_cast<char**>(nothing));
    lent.stay();
    return result == -1 ? 0 : 1;
  });
  EXPECT_TRUE(lent.stays_away());
  lent.release();
  lent.ended();
  EXPECT_TRUE(lent.comes_back());
}

TEST_F(Readiness, ChangesWaitAgainWhenTheChildsChildHasEnded) {
  for (const bool hooked : {true, false}) {
    LentSet lent;
    lent.fork([&] {
      if ((hooked ? sockdoc_hook_fork() : ::fork()) == 0) {
        ::setsid();
        lent.stay();
      }
      return 0;
    });
    lent.ended();
    EXPECT_TRUE(lent.stays_away()) << "it outlives its parent";
    lent.release();
    EXPECT_TRUE(lent.comes_back());
  }
}

TEST_F(Readiness, TheSetIsWithEachOfSeveralChildren) {
  LentSet lent;
  Tether line;
  lent.fork([&] {
    line.let_go();
    lent.stay();
    return 0;
  });
  const pid_t other = sockdoc_hook_fork();
  if (other == 0) {
    lent.release();
    line.wait();
    _exit(0);
  }
  lent.forked();
  lent.release();
  lent.ended();
  EXPECT_TRUE(lent.stays_away()) << "the other lives";
  line.let_go();
  EXPECT_TRUE(lent.comes_back());
  EXPECT_EQ(::waitpid(other, nullptr, 0), other);
}

TEST_F(Readiness, ChangesNeverWaitAgainOnceAChildHasUsedTheSet) {
  LentSet lent;
  lent.fork([&] { return lent.set().ready() == "error" ? 1 : 0; });
  lent.ended();
  EXPECT_TRUE(lent.stays_away());
}

/** In a child that is gone then. */
void others_do(const std::function<void()>& body) {
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(Readiness, WhoCanBeWrittenToIsAskedForByOthersToo) {
  LentSet lent;
  others_do([&] { (void)lent.set().ready(); });
  lent.forked();
  ASSERT_EQ(lent.set().change(lent.member().fd, EPOLLOUT, 8), 0);
  EXPECT_EQ(lent.set().ready(), "8:4");
  ASSERT_EQ(lent.set().change(lent.member().fd, EPOLLIN, 8), 0);
  EXPECT_EQ(lent.set().ready(), "") << "by us";
  ASSERT_EQ(lent.set().change(lent.member().fd, EPOLLOUT, 8), 0);
  others_do([&] { EXPECT_EQ(lent.set().change(lent.member().fd, EPOLLIN, 8), 0); });
  EXPECT_EQ(lent.set().ready(), "") << "by a child";
}

TEST_F(Readiness, WhatOthersAskForOnceMoreIsTold) {
  LentSet lent;
  others_do([&] { (void)lent.set().ready(); });
  RingedPair pair;
  ASSERT_EQ(lent.set().add(pair.fd, EPOLLIN | EPOLLONESHOT, 9), 0);
  ASSERT_EQ(::send(pair.peer(), "x", 1, 0), 1);
  EXPECT_EQ(lent.set().ready(), "9:1");
  EXPECT_EQ(lent.set().ready(), "");
  others_do([&] { EXPECT_EQ(lent.set().change(pair.fd, EPOLLIN | EPOLLONESHOT, 9), 0); });
  EXPECT_EQ(lent.set().ready(), "9:1");
}

TEST_F(Readiness, ASetThatAChildMakesInItsPlaceHidesNoUse) {
  LentSet lent;
  lent.fork([&] {
    (void)lent.set().ready();
    return 0;
  });
  lent.ended();
  const pid_t other = sockdoc_hook_fork();
  if (other == 0) {
    sockdoc_hook_close(lent.set().fd);
    const Set own;
    _exit(own.ready() == "" ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(epoll_sets.find(lent.set().fd)->shared());
}

void pass_on(int to, int fd) {
  char byte = 'b';
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  EXPECT_EQ(sockdoc_hook_sendmsg(to, &message, 0), 1);
}

TEST_F(Readiness, ChangesNeverWaitAgainWhereAChildHasPassedTheSetOn) {
  LentSet lent;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  lent.fork([&] {
    pass_on(ends[0], lent.set().fd);
    return 0;
  });
  lent.ended();
  EXPECT_TRUE(lent.stays_away());
  for (const int end : ends) ::close(end);
}

TEST_F(Readiness, ChangesNeverWaitAgainAfterASetWasPassedOnAndAForkCame) {
  LentSet lent;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  pass_on(ends[0], lent.set().fd);
  lent.fork([] { return 0; });
  lent.ended();
  EXPECT_TRUE(lent.stays_away());
  for (const int end : ends) ::close(end);
}

/** A thread that sleeps in the set while another forks is woken by what comes, and by what is changed. */
TEST_F(Readiness, AThreadSleepsInASetThatIsLentAndComesBack) {
  LentSet lent;
  RingedPair pair;
  ASSERT_EQ(lent.set().add(pair.fd, EPOLLIN, 9), 0);
  for (int time = 0; time < 3; time++) {
    std::thread other([&] { EXPECT_EQ(lent.set().ready(kLong), "9:4"); });
    while (!epoll_sets.find(lent.set().fd)->threads.any()) std::this_thread::yield();
    lent.fork([] { return 0; });
    lent.ended();
    RingedPair another;
    ASSERT_EQ(lent.set().add(another.fd, EPOLLIN, 10), 0);
    for (int i = 0; i < 20; i++) {
      ASSERT_EQ(lent.set().change(another.fd, i % 2 == 0 ? EPOLLRDHUP : EPOLLIN, 10), 0);
      ::usleep(1000);
    }
    ASSERT_EQ(lent.set().change(pair.fd, EPOLLOUT, 9), 0);
    other.join();
    ASSERT_EQ(lent.set().change(pair.fd, EPOLLIN, 9), 0);
    EXPECT_TRUE(lent.comes_back());
  }
}

/** Threads change a set while others fork: what the kernel has in the end is what was asked for last. */
TEST_F(Readiness, ThreadsForkWhileOthersChangeTheSet) {
  constexpr std::size_t kPairs = 2;
  constexpr int kForks = 60;
  std::vector<std::unique_ptr<RingedPair>> pairs;
  const Set set;
  for (std::size_t i = 0; i < kPairs; i++) {
    pairs.push_back(std::make_unique<RingedPair>());
    ASSERT_EQ(set.add(pairs[i]->fd, EPOLLIN, i), 0);
  }
  std::atomic<bool> over{false};
  std::vector<std::thread> changing;
  for (std::size_t i = 0; i < kPairs; i++) {
    changing.emplace_back([&, i] {
      for (unsigned round = 0; !over; round++) {
        ASSERT_EQ(set.change(pairs[i]->fd, round % 2 == 0 ? EPOLLRDHUP : EPOLLIN, i), 0);
      }
      ASSERT_EQ(set.change(pairs[i]->fd, EPOLLRDHUP | EPOLLIN, i), 0);
    });
  }
  std::vector<std::thread> forking;
  for (int i = 0; i < 2; i++) {
    forking.emplace_back([] {
      for (int time = 0; time < kForks; time++) {
        const pid_t child = sockdoc_hook_fork();
        if (child == 0) _exit(0);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
      }
    });
  }
  for (std::thread& thread : forking) thread.join();
  over = true;
  for (std::thread& thread : changing) thread.join();
  EXPECT_EQ(set.ready(), "");
  for (std::size_t i = 0; i < kPairs; i++) {
    EXPECT_TRUE(read_members(set.fd, [&](int member, std::uint64_t, const epoll_event& event) {
      constexpr std::uint32_t kAlways = EPOLLERR | EPOLLHUP;
      if (member != pairs[i]->fd) return;
      EXPECT_EQ(event.events & ~kAlways, EPOLLIN | EPOLLRDHUP);
    }));
  }
}

}  // namespace
}  // namespace sockdoc::preload
