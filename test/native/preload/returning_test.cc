#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "both_ends.h"
#include "preload/connection/handing_over.h"
#include "preload/table/own.h"
#include "ringed_pair.h"
#include "shared_unread.h"
#include "told_monitor.h"

// Where what is needed to give unread bytes back stands among a program's own descriptors, and what it is not done to.
namespace sockdoc::preload {
namespace {

constexpr std::uint64_t kForEver = 3'600'000;  // ms

int lowest_free_number() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(fd);
  return fd;
}

bool is_open(pid_t process, int fd) {
  const std::string path = "/proc/" + std::to_string(process) + "/fd/" + std::to_string(fd);
  char link[64];
  return ::readlink(path.c_str(), link, sizeof link) >= 0;
}

class Returning : public testing::Test {
 protected:
  void SetUp() override {
    ::alarm(120);  // a hang ends the test
    sockdoc_resolve_originals();
    ASSERT_TRUE(table.mine() || table.start());
    monitor_link.configure(monitor_.path());
  }
  void TearDown() override {
    monitor_link.configure("/nowhere/monitor.sock");
    ::alarm(0);
  }

  ToldMonitor monitor_;
};

TEST_F(Returning, TheMemoryStandsHighAndMovesAwayForTheProgramWithoutBeingLost) {
  RingedPair pair;
  ASSERT_TRUE(pair.send(1000));
  std::vector<int> numbers;
  monitor_.gives_back = [&](pid_t from, const abi::GiveBack& request) {
    numbers.push_back(request.memory);
    EXPECT_GT(request.memory, 100);
    EXPECT_TRUE(own_descriptors.owns(request.memory));
    if (numbers.size() == 2) return ToldMonitor::give_all(from, request, pair.peer());
    EXPECT_EQ(sockdoc_hook_dup2(0, request.memory), request.memory);
    return false;  // as where something else is found there
  };
  std::thread monitor([&] { monitor_.serve([](pid_t) { return true; }); });
  while (!monitor_link.listens()) monitor_link.tend();
  Connection* const connection = connection_of(table.find(pair.fd));
  EXPECT_FALSE(connection->hand_over(pair.fd, abi::Reason::passed_on, coarse_ms() + kForEver));
  EXPECT_TRUE(connection->return_to_kernel(pair.fd, coarse_ms() + kForEver));
  monitor_link.end();
  monitor.join();
  char into[2000];
  EXPECT_EQ(::recv(pair.fd, into, sizeof into, 0), 1000);
  ASSERT_EQ(numbers.size(), 2U);
  EXPECT_NE(numbers[0], numbers[1]);
  EXPECT_EQ(::fcntl(numbers[0], F_GETFD), 0) << "the program's";
  EXPECT_EQ(::fcntl(numbers[1], F_GETFD), -1);
  sockdoc_hook_close(numbers[0]);
}

/** A child that has the socket too gives it to the kernel at the same moment. */
TEST_F(Returning, WhomAnotherHoldsIsLetGoByThatOneAlone) {
  RingedPair pair;
  ASSERT_TRUE(pair.send(1000));
  Connection* const connection = connection_of(table.find(pair.fd));
  EXPECT_FALSE(connection->hand_over(pair.fd, abi::Reason::passed_on, coarse_ms() + kForEver));
  const std::atomic<std::uint32_t>& word = pair.slot().directions[0].sender.kernel_sends;
  StreamReceiver other(pair.slot().directions[0], pair.ring(0), KernelStream(pair.fd));
  ASSERT_TRUE(other.hold_sender());
  EXPECT_FALSE(connection->return_to_kernel(pair.fd, coarse_ms() + 20));
  EXPECT_NE(word & abi::kSenderHeld, 0U);
  other.let_sender_go();
  EXPECT_EQ(pair.receive(), 1000U);
}

TEST_F(Returning, AChildsErrandLeavesTheLowestNumberFree) {
  RingedPair pair;
  ASSERT_TRUE(pair.send(1000));
  const int lowest = lowest_free_number();
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) {
    _exit(connection_of(table.find(pair.fd))->return_to_kernel(pair.fd, coarse_ms() + kForEver) ? 0 : 1);
  }
  monitor_.place = pair.place();
  monitor_.memory = pair.file();
  int heard = 0;
  monitor_.hears = [&](pid_t from, const abi::Header& header) {
    heard++;
    EXPECT_FALSE(is_open(from, lowest)) << static_cast<int>(header.type);
  };
  monitor_.gives_back = [&](pid_t from, const abi::GiveBack& request) {
    EXPECT_GT(request.memory, 100);
    return ToldMonitor::give_all(from, request, pair.peer());
  };
  monitor_.serve([&](pid_t from) { return from == child; });
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(heard, 3) << "hello, pair, give_back";
  EXPECT_EQ(monitor_.hello_flags, std::vector{abi::kHelloErrand});
  EXPECT_EQ(pair.receive(), 1000U);
}

/** As vfork(), but for what sanitizers make of that: a child on our memory, which runs while we wait for its end. */
template <typename Body>
void in_a_child_on_our_memory(Body body) {
  std::vector<char> stack(256 * 1024);
  const auto run = [](void* of) {
    (*static_cast<Body*>(of))();
    return 0;
  };
  const pid_t child = ::clone(run, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &body);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/** Of our descriptors: where one stands, for the child it is one of its own. */
TEST_F(Returning, AChildOnOurMemoryMovesNothingOfOurs) {
  OwnDescriptor own;
  ASSERT_TRUE(own.take(::memfd_create("own", MFD_CLOEXEC)));
  const int number = own.number();
  in_a_child_on_our_memory([&] { EXPECT_EQ(sockdoc_hook_dup2(0, number), number); });
  EXPECT_EQ(own.number(), number);
  EXPECT_EQ(::ftruncate(number, 4096), 0) << "still the file";
  own.close();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

/** Threads put files of theirs on the lowest number that is free, where ours stand for a moment too. */
TEST_F(Returning, WhatAThreadPutsOnANumberMeanwhileIsNotTakenForOurs) {
  constexpr int kRounds = 20'000;
  const int theirs = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  struct stat wanted {};
  ASSERT_EQ(::fstat(theirs, &wanted), 0);
  const int number = lowest_free_number();
  std::minstd_rand random(1);
  std::atomic<bool> over{false};
  std::thread making([&] {
    while (!over) {
      UnreadBytes bytes;
      ASSERT_TRUE(bytes.make(1, 100, OwnDescriptors::For::moment));
      struct stat file {};
      ASSERT_EQ(::fstat(bytes.fd(), &file), 0);
      ASSERT_EQ(file.st_size, 2 * 4096) << "not the one that was made";
      bytes.discard();
    }
  });
  for (int round = 0; round < kRounds && !HasFailure(); round++) {
    ASSERT_EQ(sockdoc_hook_dup2(theirs, number), number);
    struct stat found {};
    EXPECT_EQ(::fstat(number, &found), 0) << "closed, in round " << round;
    EXPECT_EQ(found.st_ino, wanted.st_ino) << round;
    sockdoc_hook_close(number);
    for (auto moment = random() % 512; moment > 0; moment--) __builtin_ia32_pause();
  }
  over = true;
  making.join();
  ::close(theirs);
}

/** Bytes lie unread in the ring of the second end, and the first end is ours too. */
class ReturningToBoth : public BothEndsTest {
 protected:
  void SetUp() override {
    ::alarm(120);
    BothEndsTest::SetUp();
    for (int tries = 0; tries < 100 && unread_.empty(); tries++) {
      send(1000);
      if (receiver().unread() == 1000) break;
      char into[1000];
      ASSERT_EQ(sockdoc_hook_recv(ends_[1], into, sizeof into, MSG_WAITALL), 1000);
      unread_.clear();
    }
    ASSERT_EQ(receiver().unread(), 1000U);
  }
  void TearDown() override {
    BothEndsTest::TearDown();
    ::alarm(0);
  }

  void send(std::size_t count) {
    const std::size_t before = unread_.size();
    for (std::size_t i = 0; i < count; i++) unread_ += static_cast<char>('a' + (before + i) % 26);
    ASSERT_EQ(sockdoc_hook_send(ends_[0], unread_.data() + before, count, 0), static_cast<ssize_t>(count));
  }
  /** What the kernel has for who knows of no ring. */
  [[nodiscard]] std::string by_kernel(std::size_t count) const {
    std::string into(count, ' ');
    const ssize_t got = ::recv(ends_[1], into.data(), count, MSG_WAITALL);
    into.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return into;
  }
  [[nodiscard]] Connection& of(int end) const { return *connection_of(table.find(ends_[end])); }
  [[nodiscard]] Connection& receiver() const { return of(1); }
  /** In the child: a program without libsd, which is told of the second end. */
  void about_to_execute() const {
    std::string number = std::to_string(ends_[1]);
    char name[] = "true";
    char* const arguments[] = {name, number.data(), nullptr};
    char* const environment[] = {nullptr};
    before_exec({AT_FDCWD, "/bin/true", 0, arguments, environment, program::Fit::statically_linked});
  }

  std::string unread_;
};

/** A child gives them back to the kernel, or has tried to, and this process does so at the same moment. */
class ReturningWhatIsFrozen : public ReturningToBoth, public testing::WithParamInterface<bool> {};

TEST_P(ReturningWhatIsFrozen, ComesOnceAndInOrder) {
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  ASSERT_TRUE(receiver().has_unread());
  send(50);
  const TheirUnread theirs;
  ASSERT_TRUE(theirs.bytes.freeze());
  const bool they_returned_it = GetParam();
  const OnceItWaits other([&] { theirs.bytes.thaw(they_returned_it); });
  const std::uint64_t deadline = coarse_ms() + kForEver;
  (void)receiver().hand_over(ends_[1], abi::Reason::passed_on, deadline);
  EXPECT_TRUE(receiver().set_aside(ends_[1], deadline));
  EXPECT_TRUE(receiver().send_anew(ends_[1], of(0), ends_[0], deadline));
  const std::string rest = they_returned_it ? unread_.substr(1000) : unread_;
  EXPECT_EQ(by_kernel(rest.size()), rest);
}

INSTANTIATE_TEST_SUITE_P(Both, ReturningWhatIsFrozen, testing::Bool());

TEST_F(ReturningToBoth, NothingIsWrittenToWhatElseAChildHasByTheNumberOfTheOtherEnd) {
  const RingedPair decoy;
  in_a_child_on_our_memory([&] {
    ::dup2(decoy.peer(), ends_[0]);
    about_to_execute();
  });
  char byte = 0;
  EXPECT_EQ(::recv(decoy.fd, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(ReturningToBoth, AChildThatHasClosedTheOtherEndAsksTheMonitor) {
  ToldMonitor monitor;
  monitor_link.configure(monitor.path());
  monitor.gives_back = [&](pid_t from, const abi::GiveBack& request) {
    return ToldMonitor::give_all(from, request, ends_[0]);
  };
  std::thread serving([&] { monitor.serve([](pid_t from) { return from != ::getpid(); }); });
  in_a_child_on_our_memory([&] {
    ::close(ends_[0]);
    about_to_execute();
  });
  serving.join();
  EXPECT_EQ(by_kernel(unread_.size()), unread_);
}

}  // namespace
}  // namespace sockdoc::preload
