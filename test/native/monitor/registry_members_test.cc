#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "books.h"

namespace sockdoc::monitor {
namespace {

TEST(Registry, AProcessThatEndsIsForgottenWithAllThatItHad) {
  const LoopbackConnection loop;
  Books books;
  books.pair(claim_of(loop.opener));
  books.pair(claim_of(loop.acceptor));
  EXPECT_NE(books.status().find("\"slabs\":1"), std::string::npos);
  books.registry.forget(*books.process);
  EXPECT_NE(books.status().find("\"clients\":[]"), std::string::npos);
  EXPECT_NE(books.status().find("\"slabs\":0"), std::string::npos) << books.status();
  EXPECT_NE(books.status().find("\"shm\":0"), std::string::npos);
}

TEST(Registry, AProcessThatLibsdLeavesHasNothingLeftAndBeginsAnew) {
  const LoopbackConnection loop;
  Books books;
  books.pair(claim_of(loop.opener));
  books.pair(claim_of(loop.acceptor));
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  const abi::Answer before = books.next();
  ASSERT_EQ(before.outcome, abi::Outcome::shared);
  ASSERT_EQ(books.next().outcome, abi::Outcome::shared);
  ASSERT_EQ(books.descriptors.size(), 1U);
  books.registry.leave(*books.process);
  EXPECT_EQ(std::count(books.others.begin(), books.others.end(), abi::MessageType::withdrawn), 2);
  EXPECT_TRUE(books.process->ends.empty());
  books.pair(claim_of(loop.opener));
  books.pair(claim_of(loop.acceptor));
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting);
  const abi::Answer after = books.next();
  EXPECT_EQ(after.outcome, abi::Outcome::shared);
  EXPECT_NE(after.place.generation, before.place.generation);
  EXPECT_EQ(books.descriptors.size(), 2U);  // it has no mapping any more
}

std::size_t clients(const Books& books) {
  const std::string status = books.status();
  const std::string own = "\"pid\":" + std::to_string(::getpid()) + ",\"comm\"";
  const std::size_t end = status.find("\"memoryBytes\"");
  std::size_t count = 0;
  for (std::size_t at = 0; (at = status.find(own, at)) < end; at++) ++count;
  return count;
}

TEST(Registry, AnErrandIsNoClientAndLeavesNothingBehind) {
  const LoopbackConnection loop;
  Books books;
  books.pair(claim_of(loop.opener));
  books.pair(claim_of(loop.acceptor));
  books.answers.clear();
  auto errand = books.registry.enrol_errand(::getpid(), ::getpid(), own_start());
  ASSERT_TRUE(errand.ok());
  EXPECT_EQ(clients(books), 1U);
  abi::Pair request{};
  request.socket = claim_of(loop.opener);
  books.registry.pair(**errand, request);
  const abi::Answer answer = books.next();
  EXPECT_EQ(answer.outcome, abi::Outcome::shared);
  EXPECT_EQ(answer.has_memory, 1U) << "also where its process has it";
  abi::GiveBack other{};
  other.cookie = claim_of(loop.acceptor).cookie;
  other.bytes = 100;
  abi::Reason reason = abi::Reason::none;
  EXPECT_EQ(books.registry.give_back(*books.process, other, reason).bytes, 0U);
  EXPECT_EQ(reason, abi::Reason::shared_by_more);
  const std::uint64_t serial = (*errand)->serial;
  books.registry.forget(**errand);
  EXPECT_EQ(books.registry.by_serial(serial), nullptr);
  EXPECT_EQ(books.registry.find(::getpid()), books.process);
  EXPECT_EQ(books.registry.give_back(*books.process, other, reason).bytes, 100U);
  EXPECT_NE(books.status().find("\"shm\":1"), std::string::npos) << books.status();
}

TEST(Registry, AnErrandBringsNoTwoEndsTogether) {
  const LoopbackConnection loop;
  Books books;
  auto errand = books.registry.enrol_errand(::getpid(), ::getpid(), own_start());
  ASSERT_TRUE(errand.ok());
  abi::Pair request{};
  request.socket = claim_of(loop.acceptor);
  const auto refused = [&] {
    books.registry.pair(**errand, request);
    const abi::Answer answer = books.next();
    EXPECT_EQ(answer.outcome, abi::Outcome::kernel);
    EXPECT_EQ(answer.reason, abi::Reason::peer_gone);
    EXPECT_TRUE(books.answers.empty());
  };
  refused();
  books.pair(claim_of(loop.opener));
  EXPECT_EQ(books.next().outcome, abi::Outcome::waiting) << "not for the errand";
  refused();
  books.registry.forget(**errand);
  books.pair(claim_of(loop.acceptor));
  EXPECT_EQ(books.next().outcome, abi::Outcome::shared);
}

/** Its link closes a little later than it ends, and others ask meanwhile: about either end, and to have bytes sent. */
TEST(Registry, AnErrandThatHasJustEndedTakesNobodysConnection) {
  for (const bool reaped : {false, true}) {
    const LoopbackConnection loop;
    Books books;
    books.pair(claim_of(loop.opener));
    books.pair(claim_of(loop.acceptor));
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    auto errand = books.registry.enrol_errand(child, child, start_of(child));
    ASSERT_TRUE(errand.ok());
    abi::Pair request{};
    request.socket = claim_of(loop.opener);
    books.registry.pair(**errand, request);
    ASSERT_EQ(books.answers.back().outcome, abi::Outcome::shared);
    ::kill(child, SIGKILL);
    siginfo_t end;
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | (reaped ? 0 : WNOWAIT)), 0);
    books.answers.clear();
    for (const Fd* asking : {&loop.acceptor, &loop.opener}) {
      books.pair(claim_of(*asking));
      EXPECT_EQ(books.next().outcome, abi::Outcome::shared) << reaped;
    }
    EXPECT_EQ(std::count(books.others.begin(), books.others.end(), abi::MessageType::withdrawn), 0) << reaped;
    abi::GiveBack bytes{};
    bytes.cookie = claim_of(loop.acceptor).cookie;
    bytes.bytes = 100;
    abi::Reason reason = abi::Reason::none;
    EXPECT_EQ(books.registry.give_back(*books.process, bytes, reason).bytes, 100U) << reaped;
    if (!reaped) ::waitpid(child, nullptr, 0);
  }
}

TEST(Registry, AnotherStartTimeIsAnotherProcess) {
  Books books;
  EXPECT_FALSE(books.registry.enrol(::getpid(), ::getpid(), own_start() + 1).ok());
  EXPECT_FALSE(books.registry.enrol(::getpid(), ::getpid() + 1, own_start()).ok());
  EXPECT_TRUE(books.registry.enrol(::getpid(), ::getpid(), own_start()).ok());
  EXPECT_FALSE(books.registry.enrol(1, 1, 1).ok());
}

}  // namespace
}  // namespace sockdoc::monitor
