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

TEST(Registry, AnotherStartTimeIsAnotherProcess) {
  Books books;
  EXPECT_FALSE(books.registry.enrol(::getpid(), ::getpid(), own_start() + 1).ok());
  EXPECT_FALSE(books.registry.enrol(::getpid(), ::getpid() + 1, own_start()).ok());
  EXPECT_TRUE(books.registry.enrol(::getpid(), ::getpid(), own_start()).ok());
  EXPECT_FALSE(books.registry.enrol(1, 1, 1).ok());
}

}  // namespace
}  // namespace sockdoc::monitor
