#include "preload/connection/doorbell.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "preload/table/own.h"
#include "watched.h"

namespace sockdoc::preload {
namespace {

/** The slab has a doorbell, of which the other end is the test's: who rings wakes that one. */
class Doorbells : public Watched {
 protected:
  void SetUp() override {
    Watched::SetUp();
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    ASSERT_EQ(::shutdown(pair[0], SHUT_RDWR), 0);
    {
      const OwnDescriptors::Making alone;
      ASSERT_TRUE(connections.slabs().give_doorbell(slab_, pair[0]));
    }
    other_ = pair[1];
    watching_ = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET;
    ASSERT_EQ(::epoll_ctl(watching_, EPOLL_CTL_ADD, other_, &event), 0);
    (void)was_rung();  // as it is at first
    for (int sleeps = 0; sleeps < 7; sleeps++) sleep_once();
    EXPECT_EQ(strangers(), 0) << "who is met now and then does not come in";
  }
  void TearDown() override {
    Watched::TearDown();
    connections.slabs().peer_gone(slab_);
    connections.slabs().sweep();
    ::close(watching_);
    ::close(other_);
  }

  [[nodiscard]] bool was_rung(int timeout = 0) const {
    epoll_event event = {};
    return ::epoll_wait(watching_, &event, 1, timeout) == 1;
  }
  /** In a first sleep it is not known which slabs there are. */
  void sleep_once() {
    move_bytes();
    const int place = set().threads.enter();
    (void)set().mark_all(set_.fd, place, true);
    wake_up(place);
  }
  /** As the peer does. */
  void ring() const { EXPECT_EQ(::shutdown(other_, SHUT_WR), 0); }
  /** Members of the program's set that are not the program's. */
  [[nodiscard]] int strangers() {
    std::ifstream members("/proc/self/fdinfo/" + std::to_string(set_.fd));
    int count = 0;
    for (std::string line; std::getline(members, line);) {
      if (line.rfind("tfd:", 0) != 0) continue;
      const int member = std::stoi(line.substr(4));
      bool ours = false;
      for (const Pair& pair : pairs_) ours = ours || pair.in == member;
      if (ours || member == own_bell()) continue;
      stranger_ = member;
      count++;
    }
    return count;
  }

  int stranger_ = -1;
  int other_ = -1;
  int watching_ = -1;

 private:
  [[nodiscard]] static int own_bell() { return epoll_sets.bell(); }
};

TEST_F(Doorbells, TheFirstMessageGoesByTheRingAndRings) {
  const int place = fall_asleep();
  EXPECT_FALSE(was_rung());
  EXPECT_TRUE(send(3));
  EXPECT_TRUE(was_rung());
  EXPECT_TRUE(send(1));
  EXPECT_TRUE(send(3));
  EXPECT_FALSE(was_rung()) << "he is awake";
  wake_up(place);
  EXPECT_EQ(set_.ready(), "1:1 3:1");
  EXPECT_TRUE(receive(1));
  EXPECT_TRUE(receive(3));
  const int again = fall_asleep();
  EXPECT_TRUE(send(1));
  EXPECT_TRUE(was_rung());
  wake_up(again);
}

TEST_F(Doorbells, WhoIsAwakeIsNotRungFor) {
  wake_up(fall_asleep());
  for (unsigned i = 0; i < kMany; i++) EXPECT_TRUE(send(i)) << i;
  EXPECT_FALSE(was_rung());
}

TEST_F(Doorbells, OneAloneIsWatched) {
  for (unsigned i = 1; i < kMany; i++) ASSERT_EQ(set_.control(EPOLL_CTL_DEL, pairs_[i].in, 0, 0), 0);
  for (int sleeps = 0; sleeps < 3; sleeps++) {
    const int place = fall_asleep();
    EXPECT_TRUE(watched(0));
    EXPECT_TRUE(send(0));
    EXPECT_TRUE(was_rung());
    wake_up(place);
    EXPECT_TRUE(receive(0));
  }
}

TEST_F(Doorbells, MoreThanTheRingHoldsArrives) {
  const int place = fall_asleep();
  const std::string much(300'000, 'm');
  const std::string little(10, 'l');
  ASSERT_EQ(sockdoc_hook_send(pairs_[2].out, much.data(), much.size(), 0), static_cast<long>(much.size()));
  EXPECT_TRUE(was_rung());
  ASSERT_EQ(sockdoc_hook_send(pairs_[2].out, little.data(), little.size(), 0), static_cast<long>(little.size()));
  wake_up(place);
  std::string all;
  char part[65536];
  while (all.size() < much.size() + little.size()) {
    const ssize_t got = sockdoc_hook_recv(pairs_[2].in, part, sizeof part, 0);
    ASSERT_GT(got, 0);
    all.append(part, static_cast<std::size_t>(got));
  }
  EXPECT_TRUE(all == much + little);
}

TEST_F(Doorbells, ItsEventsAreNotTheProgramsOwn) {
  wake_up(fall_asleep());
  EXPECT_EQ(strangers(), 1);
  EXPECT_EQ(set_.ready(), "");
  ring();
  EXPECT_EQ(set_.ready(), "");
  ring();
  EXPECT_TRUE(send(2));
  EXPECT_EQ(set_.ready(), "2:1");
  ring();
  EXPECT_EQ(set_.ready(30), "2:1");
  EXPECT_TRUE(receive(2));
  ring();
  const auto begun = now_ns();
  EXPECT_EQ(set_.ready(30), "");
  EXPECT_GE(now_ns() - begun, 29'000'000) << "the wait ended before its time";
}

TEST_F(Doorbells, IsNotThereForOthersToSee) {
  wake_up(fall_asleep());
  ASSERT_EQ(strangers(), 1);
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) ::_exit(0);
  EXPECT_EQ(strangers(), 0) << "the child has the set";
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  for (int waits = 0; waits < 1000 && !set().may_defer(); waits++) EXPECT_EQ(set_.ready(5), "");
  for (int sleeps = 0; sleeps < 10; sleeps++) sleep_once();
  EXPECT_EQ(strangers(), 1) << "nobody else has it any more";
  const Set outer;
  ASSERT_EQ(outer.add(set_.fd, EPOLLIN, 9), 0);
  EXPECT_EQ(strangers(), 0) << "whoever waits for the set itself would be told";
  ring();
  EXPECT_EQ(outer.ready(), "");
}

TEST_F(Doorbells, WhoPollsTheSetIsNotTold) {
  wake_up(fall_asleep());
  ASSERT_EQ(strangers(), 1);
  ring();
  pollfd one = {set_.fd, POLLIN, 0};
  EXPECT_EQ(sockdoc_hook_poll(&one, 1, 0), 0);
  EXPECT_EQ(strangers(), 0);
}

TEST_F(Doorbells, NothingOfOursIsInALentSetThatAThreadSleepsOn) {
  const int place = fall_asleep();
  ASSERT_EQ(strangers(), 1);
  std::thread([] {
    const pid_t child = sockdoc_hook_fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
  }).join();
  EXPECT_EQ(strangers(), 0);
  epoll_event event = {};
  EXPECT_EQ(::epoll_wait(set_.fd, &event, 1, 0), 1) << "he is woken";
  EXPECT_EQ(event.data.u64, EpollSets::bell_data());
  EXPECT_EQ(::epoll_wait(set_.fd, &event, 1, 0), 0) << "nothing of ours is left in the set";
  wake_up(place);
}

TEST_F(Doorbells, WhoSleepsWhileTheSetIsLentIsWokenByTheKernelThen) {
  wake_up(fall_asleep());
  std::string got;
  std::thread sleeper([&] { got = set_.ready(kLong); });
  while (!set().threads.any()) ::usleep(1000);
  ::usleep(20'000);
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) {
    ::usleep(300'000);
    ::_exit(0);
  }
  EXPECT_EQ(strangers(), 0);
  while (!set().threads.any()) ::usleep(1000);
  ::usleep(20'000);
  EXPECT_FALSE(send(4)) << "the child has the set, too";
  sleeper.join();
  EXPECT_EQ(got, "4:1");
  ::waitpid(child, nullptr, 0);
}

TEST_F(Doorbells, ServesAnotherSetWhenOneIsClosed) {
  wake_up(fall_asleep());
  ASSERT_EQ(strangers(), 1);
  ASSERT_EQ(sockdoc_hook_close(std::exchange(set_.fd, sockdoc_hook_epoll_create1(EPOLL_CLOEXEC))), 0);
  for (unsigned i = 0; i < kMany; i++) ASSERT_EQ(set_.add(pairs_[i].in, EPOLLIN, i), 0);
  for (int sleeps = 0; sleeps < 10; sleeps++) sleep_once();
  const int again = fall_asleep();
  EXPECT_EQ(strangers(), 1);
  EXPECT_TRUE(send(0));
  EXPECT_TRUE(was_rung());
  wake_up(again);
}

TEST_F(Doorbells, IsClosedWithTheSlab) {
  wake_up(fall_asleep());
  for (Pair& pair : pairs_) {
    sockdoc_hook_close(std::exchange(pair.out, -1));
    sockdoc_hook_close(std::exchange(pair.in, -1));
  }
  const int place = set().threads.enter();
  (void)set().mark_all(set_.fd, place, true);
  wake_up(place);
  connections.slabs().peer_gone(slab_);
  (void)was_rung();
  connections.slabs().sweep();
  EXPECT_EQ(strangers(), 0);
  EXPECT_TRUE(was_rung()) << "closing an end is seen at the other";
}

/** Whoever puts something on its number: the kernel knows the member of the set by the number that it had. */
TEST_F(Doorbells, WhoIsDrivenFromItsNumberIsNotSeenByOthersEither) {
  wake_up(fall_asleep());
  ASSERT_EQ(strangers(), 1);
  const int number = stranger_;
  EXPECT_EQ(set_.control(EPOLL_CTL_DEL, number, 0, 0), -1);
  EXPECT_EQ(errno, EBADF) << "for the program it is not open";
  const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(sockdoc_hook_dup2(file, number), number);
  const int place = fall_asleep();
  EXPECT_TRUE(send(1));
  EXPECT_TRUE(was_rung()) << "it rings by its new number";
  wake_up(place);
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(strangers(), 0);
  struct stat now = {};
  struct stat then = {};
  EXPECT_EQ(::fstat(number, &now), 0);
  EXPECT_EQ(::fstat(file, &then), 0);
  EXPECT_EQ(now.st_rdev, then.st_rdev) << "the program's own";
  sockdoc_hook_close(number);
  ::close(file);
}

/** By a call that we do not see. */
TEST_F(Doorbells, OneThatWasClosedRingsInVainOnce) {
  int place = fall_asleep();
  ASSERT_EQ(strangers(), 1);
  const int dead = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(raw(SYS_dup3, dead, stranger_, O_CLOEXEC), stranger_);
  EXPECT_TRUE(was_rung()) << "closing an end is seen at the other";
  EXPECT_TRUE(send(1));
  EXPECT_FALSE(was_rung());
  wake_up(place);
  EXPECT_TRUE(receive(1));
  place = fall_asleep();
  EXPECT_FALSE(send(1)) << "the kernel wakes";
  wake_up(place);
  ::close(dead);
}

TEST_F(Doorbells, WhoHasRoomForOneEventIsToldOfWhatIsReady) {
  wake_up(fall_asleep());
  EXPECT_EQ(set_.ready(), "");
  const int pair = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ASSERT_EQ(set_.add(pair, EPOLLIN, 77), 0);
  ring();
  ASSERT_EQ(::eventfd_write(pair, 1), 0);
  EXPECT_EQ(set_.ready(0, 1), "77:1");
  ::close(pair);
}

TEST_F(Doorbells, WhoRingsAndSendsNothingIsNotHeardForLong) {
  wake_up(fall_asleep());
  for (int rings = 0; rings < 100; rings++) {
    ring();
    EXPECT_EQ(set_.ready(), "");
  }
  EXPECT_EQ(strangers(), 0);
  const int place = fall_asleep();
  EXPECT_EQ(strangers(), 0);
  EXPECT_FALSE(send(1)) << "the kernel wakes";
  wake_up(place);
}

TEST_F(Doorbells, WhoHasNothingToWaitForDoesNotListen) {
  wake_up(fall_asleep());
  ASSERT_EQ(strangers(), 1);
  for (int sleeps = 0; sleeps < 20; sleeps++) {
    const int place = set().threads.enter();
    (void)set().mark_all(set_.fd, place, true);
    wake_up(place);
  }
  EXPECT_EQ(strangers(), 0);
}

TEST_F(Doorbells, NothingOfItIsLeftWhenLibsdLeaves) {
  wake_up(fall_asleep());
  ASSERT_EQ(strangers(), 1);
  const int number = stranger_;
  (void)was_rung();
  epoll_sets.defer_no_more();  // as leave() does, while threads work
  EXPECT_EQ(strangers(), 0);
  connections.slabs().make_inert();  // and undo(), with all of them stopped
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  EXPECT_TRUE(was_rung()) << "closing an end is seen at the other";
}

TEST_F(Doorbells, ASecondOneIsNotTaken) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
  ASSERT_EQ(::shutdown(pair[0], SHUT_RDWR), 0);
  {
    const OwnDescriptors::Making alone;
    EXPECT_FALSE(connections.slabs().give_doorbell(slab_, pair[0])) << "his other end is another's";
    EXPECT_FALSE(connections.slabs().give_doorbell(slab_ + 1, pair[0])) << "of a slab that is not here";
  }
  ::close(pair[0]);
  ::close(pair[1]);
}

/** In one process the end that rings is the one that is watched: somebody else rings back. */
TEST_F(Doorbells, NobodySleepsWhileThereAreBytes) {
  std::atomic<bool> done{false};
  std::atomic<int> rung{0};
  std::thread relay([&] {
    while (!done) {
      if (!was_rung(100)) continue;
      rung++;
      ring();
    }
  });
  EXPECT_GT(exchange(60'000), kMany * 4U) << "nothing went by the rings";
  done = true;
  relay.join();
  EXPECT_GT(rung, 0);
}

}  // namespace
}  // namespace sockdoc::preload
