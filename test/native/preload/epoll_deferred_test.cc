#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <thread>

#include "preload/readiness/set_members.h"
#include "readiness.h"

namespace sockdoc::preload {
namespace {

/** What the kernel has of a descriptor in a set: "1 of 7", events and data, or "nothing". */
std::string registered(int set, int fd) {
  std::string found = "nothing";
  EXPECT_TRUE(read_members(set, [&](int member, std::uint64_t, const epoll_event& event) {
    constexpr std::uint32_t kAlways = EPOLLERR | EPOLLHUP;
    if (member == fd) {
      found = std::to_string(event.events & ~kAlways) + " of " + std::to_string(event.data.u64);
    }
  }));
  return found;
}

TEST_F(Readiness, TheKernelHearsOfTheLastChangeBeforeItIsAsked) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(registered(set.fd, pair.fd), "1 of 7") << "what is new is added at once";
  ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 7), 0);
  ASSERT_EQ(set.control(EPOLL_CTL_DEL, pair.fd, 0, 0), 0);
  ASSERT_EQ(set.add(pair.fd, EPOLLIN | EPOLLRDHUP, 7), 0);
  EXPECT_EQ(registered(set.fd, pair.fd), "1 of 7");
  EXPECT_TRUE(epoll_sets.anything_deferred());
  EXPECT_EQ(set.ready(1), "");
  EXPECT_EQ(registered(set.fd, pair.fd), std::to_string(EPOLLIN | EPOLLRDHUP) + " of 7");
  EXPECT_FALSE(epoll_sets.anything_deferred());
  ASSERT_EQ(set.control(EPOLL_CTL_DEL, pair.fd, 0, 0), 0);
  EXPECT_EQ(set.ready(1), "");
  EXPECT_EQ(registered(set.fd, pair.fd), "nothing");
}

TEST_F(Readiness, WhatIsTrueAnywayNeedNotBeHeardOf) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLOUT, 7), 0);
  EXPECT_EQ(set.ready(), "7:4");
  EXPECT_EQ(registered(set.fd, pair.fd), "1 of 7");
  ASSERT_EQ(set.change(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(set.ready(), "");
}

void send_by_kernel(RingedPair& pair) {
  pair.ring(0).forbid();
  EXPECT_FALSE(pair.send(1));
}

TEST_F(Readiness, InterestThatTheKernelHasTooMuchOfIsNeverTold) {
  RingedPair pair;
  RingedPair other;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_EQ(set.add(other.fd, EPOLLIN, 8), 0);
  ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 7), 0);
  EXPECT_EQ(set.ready(), "7:4");
  EXPECT_EQ(registered(set.fd, pair.fd), "1 of 7") << "it had nothing to say";
  send_by_kernel(pair);
  EXPECT_EQ(set.ready(), "7:4");
  EXPECT_EQ(registered(set.fd, pair.fd), "4 of 7");
  send_by_kernel(other);
  ASSERT_EQ(set.change(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(set.ready(), "7:1 8:1");
  ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 7), 0);
  EXPECT_EQ(set.ready(), "7:4 8:1");
  EXPECT_EQ(other.receive(), 1U);
  EXPECT_EQ(set.ready(), "7:4");
  EXPECT_EQ(pair.receive(), 1U);
}

TEST_F(Readiness, WhoIsOutOfASetLeavesNothingWithTheKernel) {
  RingedPair pair;
  RingedPair writing;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_EQ(set.add(writing.fd, EPOLLIN, 8), 0);
  ASSERT_EQ(set.change(writing.fd, EPOLLOUT, 8), 0);
  ASSERT_EQ(set.control(EPOLL_CTL_DEL, pair.fd, 0, 0), 0);
  EXPECT_EQ(registered(set.fd, pair.fd), "1 of 7");
  EXPECT_EQ(set.ready(), "8:4");
  EXPECT_EQ(registered(set.fd, pair.fd), "nothing");
}

/** What the kernel tells once must not be asked for twice. */
TEST_F(Readiness, AnEdgeBesideInterestThatChangesIsTold) {
  for (const bool socket : {false, true}) {
    RingedPair pair;
    RingedPair edge;
    const int event = eventfd(1, EFD_CLOEXEC);
    const Set set;
    ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
    send_by_kernel(pair);
    send_by_kernel(edge);
    ASSERT_EQ(set.add(socket ? edge.fd : event, EPOLLIN | EPOLLET, 9), 0);
    ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 7), 0);
    EXPECT_EQ(set.ready(), "7:4 9:1");
    EXPECT_EQ(registered(set.fd, pair.fd), "4 of 7");
    EXPECT_EQ(set.ready(), "7:4");
    EXPECT_EQ(pair.receive(), 1U);
    EXPECT_EQ(edge.receive(), 1U);
    ::close(event);
  }
}

TEST_F(Readiness, ErrorsAreWhatTheKernelWouldSay) {
  RingedPair pair;
  const Set set;
  const auto says = [](int result) { return result == 0 ? 0 : errno; };
  const auto bad = [&](int operation) {
    return sockdoc_hook_epoll_ctl(set.fd, operation, pair.fd, reinterpret_cast<epoll_event*>(8));
  };
  EXPECT_EQ(says(set.change(pair.fd, EPOLLIN, 7)), ENOENT);
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  EXPECT_EQ(says(bad(EPOLL_CTL_MOD)), EFAULT);
  EXPECT_EQ(says(bad(EPOLL_CTL_ADD)), EFAULT);
  EXPECT_EQ(says(set.control(77, pair.fd, EPOLLIN, 7)), EINVAL);
  EXPECT_EQ(says(set.change(pair.fd, EPOLLIN | EPOLLEXCLUSIVE, 7)), EINVAL);
  EXPECT_EQ(says(set.change(pair.fd, EPOLLIN | EPOLLEXCLUSIVE, 7)), EINVAL);
  EXPECT_EQ(says(set.add(pair.fd, EPOLLIN, 7)), EEXIST);
  EXPECT_EQ(says(set.change(pair.fd, EPOLLOUT, 7)), 0);
  EXPECT_EQ(says(set.add(pair.fd, EPOLLIN, 7)), EEXIST) << "after a change that was deferred";
  EXPECT_EQ(bad(EPOLL_CTL_DEL), 0);
  EXPECT_EQ(says(bad(EPOLL_CTL_DEL)), ENOENT) << "after a removal that was deferred";
  EXPECT_EQ(says(set.add(pair.fd, EPOLLIN, 7)), 0);
  EXPECT_EQ(bad(EPOLL_CTL_DEL), 0);
  EXPECT_EQ(says(set.change(pair.fd, EPOLLIN, 7)), ENOENT);
  const int copy = sockdoc_hook_dup(pair.fd);
  EXPECT_EQ(says(set.change(copy, EPOLLIN, 7)), ENOENT);
  EXPECT_EQ(says(set.add(copy, EPOLLIN, 7)), 0);
  EXPECT_EQ(says(set.add(pair.fd, EPOLLIN, 8)), 0) << "two numbers are two members";
  sockdoc_hook_close(copy);
  EXPECT_EQ(says(sockdoc_hook_epoll_ctl(copy, EPOLL_CTL_DEL, pair.fd, nullptr)), EBADF);
  EXPECT_EQ(says(set.change(copy, EPOLLIN, 7)), EBADF);
}

TEST_F(Readiness, OtherInterestIsChangedAtOnce) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  ASSERT_EQ(set.change(pair.fd, EPOLLIN, 8), 0);
  EXPECT_EQ(registered(set.fd, pair.fd), "1 of 8") << "other data";
  ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 8), 0);
  ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLET, 8), 0);
  EXPECT_EQ(registered(set.fd, pair.fd), std::to_string(EPOLLIN | EPOLLET) + " of 8");
  ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 8), 0);
  EXPECT_EQ(registered(set.fd, pair.fd), "4 of 8") << "from edges to levels";
}

TEST_F(Readiness, AClosedNumberTakesItsRegistrationAlong) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  const int copy = sockdoc_hook_dup(pair.fd);
  ASSERT_EQ(set.control(EPOLL_CTL_DEL, pair.fd, 0, 0), 0);
  EXPECT_EQ(registered(set.fd, pair.fd), "1 of 7");
  const int number = pair.fd;
  sockdoc_hook_close(pair.fd);
  pair.fd = copy;
  EXPECT_EQ(registered(set.fd, number), "nothing");
  EXPECT_FALSE(epoll_sets.anything_deferred());
}

TEST_F(Readiness, ASetThatIsMadeAnewHasNothingOfTheFormer) {
  RingedPair pair;
  for (int round = 0; round < 3; round++) {
    const Set set;
    ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
    EXPECT_EQ(registered(set.fd, pair.fd), "1 of 7");
    ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 7), 0);
  }
}

/** A set as libsd finds it in a process that runs already. */
void find_anew(const Set& set, EpollSet::Changes changes) {
  epoll_sets.record(set.fd, changes);
  epoll_sets.recover(set.fd);
}

int add_unseen(const Set& set, int fd, std::uint32_t events, std::uint64_t data) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = data;
  return static_cast<int>(raw(SYS_epoll_ctl, set.fd, EPOLL_CTL_ADD, fd, &event));
}

TEST_F(Readiness, ASetFromBeforeIsChangedLaterWhereNobodyElseHasIt) {
  for (const bool own : {true, false}) {
    RingedPair pair;
    const Set set;
    ASSERT_EQ(add_unseen(set, pair.fd, EPOLLIN, 7), 0);
    find_anew(set, own ? EpollSet::Changes::may_wait : EpollSet::Changes::at_once);
    ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLRDHUP, 7), 0);
    const std::string more = std::to_string(EPOLLIN | EPOLLRDHUP) + " of 7";
    EXPECT_EQ(registered(set.fd, pair.fd), own ? "1 of 7" : more);
    EXPECT_EQ(set.add(pair.fd, EPOLLIN, 7), -1) << "it is in";
    EXPECT_EQ(set.ready(1), "");
    EXPECT_EQ(registered(set.fd, pair.fd), more);
  }
}

TEST_F(Readiness, WhatTheKernelAddsToInterestFromBeforeIsNotTooMuch) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(add_unseen(set, pair.fd, EPOLLIN, 7), 0);
  find_anew(set, EpollSet::Changes::may_wait);
  ASSERT_EQ(set.change(pair.fd, EPOLLIN | EPOLLRDHUP, 7), 0);
  ASSERT_EQ(set.change(pair.fd, EPOLLIN, 7), 0);
  EXPECT_FALSE(epoll_sets.find(set.fd)->settle_for_look(set.fd, true));
}

/** As AnEdgeBesideInterestThatChangesIsTold. */
TEST_F(Readiness, AnEdgeFromBeforeBesideInterestThatChangesIsTold) {
  RingedPair pair;
  const int event = eventfd(1, EFD_CLOEXEC);
  const Set set;
  ASSERT_EQ(add_unseen(set, pair.fd, EPOLLIN, 7), 0);
  ASSERT_EQ(add_unseen(set, event, EPOLLIN | EPOLLET, 9), 0);
  find_anew(set, EpollSet::Changes::may_wait);
  send_by_kernel(pair);
  ASSERT_EQ(set.change(pair.fd, EPOLLOUT, 7), 0);
  EXPECT_EQ(set.ready(), "7:4 9:1");
  EXPECT_EQ(set.ready(), "7:4");
  EXPECT_EQ(pair.receive(), 1U);
  ::close(event);
}

TEST_F(Readiness, NothingIsDeferredWhereOthersSeeIt) {
  std::vector<std::unique_ptr<RingedPair>> pairs;
  std::vector<std::unique_ptr<Set>> sets;
  for (int i = 0; i < 3; i++) {
    pairs.push_back(std::make_unique<RingedPair>());
    sets.push_back(std::make_unique<Set>());
    ASSERT_EQ(sets.back()->add(pairs.back()->fd, EPOLLIN, 7), 0);
    ASSERT_EQ(sets.back()->change(pairs.back()->fd, EPOLLOUT, 7), 0);
    ASSERT_EQ(registered(sets.back()->fd, pairs.back()->fd), "1 of 7");
  }
  const auto now = [&](std::size_t i) { return registered(sets[i]->fd, pairs[i]->fd); };
  const Set outer;
  ASSERT_EQ(outer.add(sets[0]->fd, EPOLLIN, 1), 0);
  EXPECT_EQ(now(0), "4 of 7") << "in another set";
  ASSERT_EQ(sets[0]->change(pairs[0]->fd, EPOLLIN, 7), 0);
  EXPECT_EQ(now(0), "1 of 7");
  pollfd one = {sets[1]->fd, POLLIN, 0};
  EXPECT_EQ(sockdoc_hook_poll(&one, 1, 0), 1) << "it can be written to";
  EXPECT_EQ(now(1), "4 of 7");
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) _exit(now(2) == "4 of 7" ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(sets[2]->change(pairs[2]->fd, EPOLLIN, 7), 0);
  EXPECT_EQ(now(2), "1 of 7") << "a child has it too";
}

TEST_F(Readiness, ASleeperIsWokenByWhatAnotherThreadChanges) {
  RingedPair pair;
  const Set set;
  ASSERT_EQ(set.add(pair.fd, EPOLLIN, 7), 0);
  for (int round = 0; round < 20; round++) {
    std::thread other([&] {
      if (round % 2 == 0) {
        while (!epoll_sets.find(set.fd)->threads.any()) std::this_thread::yield();
      }
      EXPECT_EQ(set.change(pair.fd, EPOLLOUT, 7), 0);
    });
    EXPECT_EQ(set.ready(kLong), "7:4");
    other.join();
    ASSERT_EQ(set.change(pair.fd, EPOLLIN, 7), 0);
  }
}

/** Threads change what others wait for; in the end the kernel has what was asked for last. */
TEST_F(Readiness, ThreadsChangeASetInWhichOthersSleep) {
  constexpr std::size_t kPairs = 4;
  constexpr int kRounds = 3000;
  std::vector<std::unique_ptr<RingedPair>> pairs;
  const Set set;
  for (std::size_t i = 0; i < kPairs; i++) {
    pairs.push_back(std::make_unique<RingedPair>());
    ASSERT_EQ(set.add(pairs[i]->fd, 0, i), 0);
  }
  std::atomic<bool> over{false};
  std::vector<std::thread> waiting;
  for (int i = 0; i < 2; i++) {
    waiting.emplace_back([&] {
      while (!over) (void)set.ready(1);
    });
  }
  std::vector<std::thread> changing;
  for (std::size_t i = 0; i < kPairs; i++) {
    changing.emplace_back([&, i] {
      const int fd = pairs[i]->fd;
      for (int round = 0; round < kRounds; round++) {
        ASSERT_EQ(set.control(EPOLL_CTL_DEL, fd, 0, 0), 0);
        ASSERT_EQ(set.add(fd, round % 3 == 0 ? 1U : 0U, i), 0) << round;
        ASSERT_EQ(set.change(fd, round % 2 == 0 ? EPOLLIN : EPOLLRDHUP, i), 0) << round;
      }
    });
  }
  for (std::thread& thread : changing) thread.join();
  over = true;
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(set.ready(), "");
  for (std::size_t i = 0; i < kPairs; i++) {
    EXPECT_EQ(registered(set.fd, pairs[i]->fd), std::to_string(EPOLLRDHUP) + " of " + std::to_string(i));
  }
}

RingedPair* handlers_pair = nullptr;
const Set* handlers_set = nullptr;
std::atomic<int> handled{0};

void change_in_handler(int) {
  const int before = errno;
  const int count = handled.fetch_add(1);
  const int fd = handlers_pair->fd;
  if (count % 5 == 0) {
    (void)handlers_set->control(EPOLL_CTL_DEL, fd, 0, 0);
    (void)handlers_set->add(fd, count % 2 == 0 ? 1U : 0U, 8);
  } else if (count % 5 == 1) {
    epoll_event events[4];
    (void)sockdoc_hook_epoll_wait(handlers_set->fd, events, 4, 0);
  } else {
    (void)handlers_set->change(fd, count % 2 == 0 ? EPOLLIN : EPOLLRDHUP, 8);
  }
  errno = before;
}

/** In the midst of changes, of settling them, and of waits. */
TEST_F(Readiness, SignalHandlersChangeTheSetThatTheyInterrupt) {
  RingedPair mine;
  RingedPair theirs;
  const Set set;
  ASSERT_EQ(set.add(mine.fd, 0, 7), 0);
  ASSERT_EQ(set.add(theirs.fd, 0, 8), 0);
  handlers_pair = &theirs;
  handlers_set = &set;
  handled = 0;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = change_in_handler;
  sigaction(SIGALRM, &action, &before);
  const itimerval soon = {{}, {0, 30}};
  for (int round = 0; handled < 500; round++) {
    if (round % 5 == 0) setitimer(ITIMER_REAL, &soon, nullptr);
    ASSERT_EQ(set.change(mine.fd, round % 2 == 0 ? EPOLLIN : EPOLLRDHUP, 7), 0);
    if (round % 7 == 0) (void)set.ready(round % 70 == 0 ? 1 : 0);
  }
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  ASSERT_EQ(set.change(theirs.fd, EPOLLIN, 8), 0);
  ASSERT_EQ(set.change(mine.fd, EPOLLRDHUP, 7), 0);
  EXPECT_EQ(set.ready(1), "");
  EXPECT_EQ(registered(set.fd, mine.fd), std::to_string(EPOLLRDHUP) + " of 7");
  EXPECT_EQ(registered(set.fd, theirs.fd), "1 of 8");
  theirs.send(1);
  EXPECT_EQ(set.ready(kLong), "8:1");
}

}  // namespace
}  // namespace sockdoc::preload
