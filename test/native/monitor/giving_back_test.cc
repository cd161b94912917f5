#include "monitor/giving_back.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>

#include "abi/unread.h"
#include "books.h"

namespace sockdoc::monitor {
namespace {

using abi::Reason;
using abi::Returning;

constexpr std::uint64_t kReader = 4711;

/** Bytes that were set aside, as libsd does. */
class SetAside {
 public:
  explicit SetAside(std::size_t bytes, int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)
      : file(::memfd_create(abi::kUnreadName, MFD_CLOEXEC | MFD_ALLOW_SEALING)), bytes_(bytes) {
    EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(abi::kPage + bytes)), 0);
    void* mapped = ::mmap(nullptr, abi::kPage + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    EXPECT_NE(mapped, MAP_FAILED);
    head = static_cast<abi::UnreadHead*>(mapped);
    head->magic = abi::kUnreadMagic;
    head->cookie = kReader;
    head->returning = Returning::asked;
    auto* data = reinterpret_cast<unsigned char*>(mapped) + abi::kPage;
    for (std::size_t i = 0; i < bytes; ++i) data[i] = at(i);
    if (seals != 0) {
      EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, seals), 0);
    }
  }
  ~SetAside() { ::munmap(head, abi::kPage + bytes_); }
  SetAside(const SetAside&) = delete;
  SetAside& operator=(const SetAside&) = delete;

  static unsigned char at(std::size_t place) { return static_cast<unsigned char>(place * 7 + place / 256); }

  Fd file;
  abi::UnreadHead* head = nullptr;

 private:
  std::size_t bytes_;
};

class GivingBackBytes : public testing::Test {
 protected:
  static Fd self() { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))); }

  GivingBack job(const SetAside& bytes, std::size_t count) {
    const abi::SocketClaim claim = claim_of(loop_.opener);
    GivingBack made;
    made.asking = 7;
    made.sequence = 8;
    made.asker = self();
    made.memory = bytes.file.get();
    made.reader = kReader;
    made.bytes = count;
    made.sender = self();
    made.sender_proc = Fd(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
    made.socket = claim.fd;
    made.inode = claim.inode;
    made.cookie = claim.cookie;
    return made;
  }
  /** Until it says what became of it: told in memory, or not. */
  void run(GivingBack made, const SetAside& bytes) {
    ASSERT_TRUE(givers_.start(std::move(made)));
    for (int i = 0; i < 10'000 && bytes.head->returning != Returning::ended; ++i) {
      pollfd one{givers_.fd(), POLLIN, 0};
      if (::poll(&one, 1, 1) > 0) break;
    }
    for (const auto& [asking, sequence] : givers_.refused()) {
      EXPECT_EQ(asking, 7U);
      EXPECT_EQ(sequence, 8U);
      ++refused_;
    }
  }
  /** Waits for so many; without them a moment. */
  std::size_t arrived(std::size_t expected = 0) {
    std::size_t count = 0;
    std::array<unsigned char, 4096> part{};
    pollfd one{loop_.acceptor.get(), POLLIN, 0};
    while (::poll(&one, 1, count < expected ? 10'000 : 50) > 0) {
      const ssize_t got = ::recv(loop_.acceptor.get(), part.data(), part.size(), MSG_DONTWAIT);
      for (ssize_t i = 0; i < got; ++i) EXPECT_EQ(part[static_cast<std::size_t>(i)], SetAside::at(count++));
      if (got <= 0) break;
    }
    return count;
  }

  LoopbackConnection loop_;
  GiversBack givers_;
  int refused_ = 0;
};

TEST_F(GivingBackBytes, ComesFromThePeersSocket) {
  const SetAside bytes(10'000);
  run(job(bytes, 10'000), bytes);
  EXPECT_EQ(bytes.head->returned, 10'000U);
  EXPECT_EQ(arrived(10'000), 10'000U);
  for (int i = 0; i < 10'000 && givers_.returned() == 0; ++i) ::usleep(1000);
  EXPECT_EQ(givers_.returned(), 1U);
}

TEST_F(GivingBackBytes, AlsoWhereItsBufferIsSmallWhichStaysAsItWas) {
  const int small = 4096;
  ASSERT_EQ(::setsockopt(loop_.opener.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  ASSERT_EQ(::setsockopt(loop_.acceptor.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  const auto room = [&] {
    int size = 0;
    socklen_t length = sizeof size;
    ::getsockopt(loop_.opener.get(), SOL_SOCKET, SO_SNDBUF, &size, &length);
    return size;
  };
  const int before = room();
  const SetAside bytes(150'000);
  run(job(bytes, 150'000), bytes);
  EXPECT_EQ(bytes.head->returned, 150'000U);
  EXPECT_EQ(room(), before);
  EXPECT_EQ(arrived(150'000), 150'000U);
}

TEST_F(GivingBackBytes, WhateverDescriptorItHasByNow) {
  const SetAside bytes(100);
  GivingBack moved = job(bytes, 100);
  moved.socket = bytes.file.get();
  run(std::move(moved), bytes);
  EXPECT_EQ(arrived(100), 100U);
}

TEST_F(GivingBackBytes, ButNotWhereItWasTakenBack) {
  const SetAside bytes(100);
  bytes.head->returning = Returning::cancelled;
  ASSERT_TRUE(givers_.start(job(bytes, 100)));
  EXPECT_EQ(arrived(), 0U);
  EXPECT_EQ(bytes.head->returning, Returning::cancelled);
  EXPECT_EQ(givers_.returned(), 0U);
}

TEST_F(GivingBackBytes, NorFromAnotherSocketOrOtherMemory) {
  const LoopbackConnection other;
  const SetAside bytes(100);
  GivingBack changed = job(bytes, 100);
  changed.cookie++;
  run(std::move(changed), bytes);
  changed = job(bytes, 100);
  changed.reader++;
  run(std::move(changed), bytes);
  run(job(bytes, 5000), bytes);  // more than it has
  const SetAside open(100, 0);
  run(job(open, 100), open);
  changed = job(bytes, 100);
  changed.memory = loop_.acceptor.get();
  run(std::move(changed), bytes);
  EXPECT_EQ(refused_, 5);
  EXPECT_EQ(arrived(), 0U);
}

TEST_F(GivingBackBytes, TellsHowFarItCameWhereThePeerIsGone) {
  const SetAside bytes(100);
  GivingBack made = job(bytes, 100);
  ::shutdown(loop_.opener.get(), SHUT_WR);
  run(std::move(made), bytes);
  EXPECT_EQ(bytes.head->returning, Returning::ended);
  EXPECT_EQ(bytes.head->returned, 0U);
}

class AskingToGiveBack : public testing::Test {
 protected:
  void SetUp() override {
    books_.pair(claim_of(loop_.opener));
    books_.pair(claim_of(loop_.acceptor));
  }
  Reason refusal(const Fd& reader, std::uint64_t bytes = 100) {
    abi::GiveBack request{};
    request.cookie = claim_of(reader).cookie;
    request.bytes = bytes;
    request.memory = 3;
    Reason reason = Reason::none;
    job_ = books_.registry.give_back(*books_.process, request, reason);
    return reason;
  }

  LoopbackConnection loop_;
  Books books_;
  GivingBack job_;
};

TEST_F(AskingToGiveBack, IsForTheOwnPeerOfAConnectionByMemory) {
  EXPECT_EQ(refusal(loop_.acceptor), Reason::none);
  EXPECT_EQ(job_.inode, claim_of(loop_.opener).inode);
  EXPECT_EQ(job_.cookie, claim_of(loop_.opener).cookie);
  EXPECT_EQ(job_.bytes, 100U);
  EXPECT_EQ(refusal(loop_.opener), Reason::none);
  EXPECT_EQ(job_.inode, claim_of(loop_.acceptor).inode);
}

TEST_F(AskingToGiveBack, IsRefusedForAllOthers) {
  const LoopbackConnection other;
  EXPECT_EQ(refusal(other.opener), Reason::no_such_socket);
  EXPECT_EQ(job_.bytes, 0U);
  books_.pair(claim_of(other.opener));
  EXPECT_EQ(refusal(other.opener), Reason::peer_gone) << "it has not asked";
  EXPECT_EQ(refusal(loop_.acceptor, 0), Reason::bad_message);
  EXPECT_EQ(refusal(loop_.acceptor, abi::kMostUnread + 1), Reason::bad_message);
}

TEST_F(AskingToGiveBack, IsRefusedWhileBytesOfThePeerLieBeforeThem) {
  ASSERT_EQ(::send(loop_.opener.get(), "x", 1, 0), 1);
  pollfd one{loop_.acceptor.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&one, 1, 10'000), 1);
  EXPECT_EQ(refusal(loop_.acceptor), Reason::counters_differ);
  EXPECT_EQ(refusal(loop_.opener), Reason::none);
}

TEST_F(AskingToGiveBack, IsRefusedWhereThePeerHasGone) {
  books_.registry.release(*books_.process, claim_of(loop_.opener).cookie);
  EXPECT_EQ(refusal(loop_.acceptor), Reason::peer_gone);
}

/** What the peer sends is its own affair, if it is another user's. */
TEST(GivingBack, IsNotForWhoCouldNotMakeThePeerSend) {
  if (::geteuid() != 0) GTEST_SKIP() << "to be of several users takes root";
  const LoopbackConnection loop;
  Books books("allow any");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    const bool other = ::setresgid(65534, 65534, 65534) == 0 && ::setresuid(65534, 65534, 65534) == 0;
    (void)!::read(ends[0], &byte, 1);
    ::_exit(other ? 0 : 1);
  }
  char buffer[4096];
  const std::string folder = "/proc/" + std::to_string(child);
  const Fd proc(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto enrolled = books.registry.enrol(child, child, parse_stat(*read_small(proc.get(), "stat", buffer))->start_ticks);
  ASSERT_TRUE(enrolled.ok());
  const auto user = [&] { return read_identity(proc.get())->uid(); };
  for (int i = 0; i < 10'000 && user() == 0; ++i) ::usleep(1000);
  books.pair(claim_of(loop.opener));
  abi::Pair theirs{};
  theirs.socket = claim_of(loop.acceptor);
  books.registry.pair(**enrolled, theirs);
  abi::GiveBack request{};
  request.bytes = 1;
  Reason reason = Reason::none;
  request.cookie = claim_of(loop.acceptor).cookie;
  EXPECT_EQ(books.registry.give_back(**enrolled, request, reason).bytes, 0U);
  EXPECT_EQ(reason, Reason::denied_across_users);
  request.cookie = claim_of(loop.opener).cookie;
  EXPECT_EQ(books.registry.give_back(*books.process, request, reason).bytes, 1U) << "root may";
  ::close(ends[0]);
  ::close(ends[1]);
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sockdoc::monitor
