#include <sys/epoll.h>
#include <sys/wait.h>

#include "abi/slab.h"
#include "books.h"

namespace sockdoc::monitor {
namespace {

TEST(Registry, ASlotIsZeroAndGivenOutAgainOnlyAfterBothEndsHaveEnded) {
  Books books("limit ring=4K");
  const LoopbackConnection first;
  books.pair(claim_of(first.opener));
  books.pair(claim_of(first.acceptor));
  (void)books.next();
  const abi::Place place = books.next().place;
  ASSERT_FALSE(books.descriptors.empty());
  const int memory = books.descriptors[0].get();
  const auto at = static_cast<off_t>(abi::slot_offset(place.slot, place.ring_bytes));
  ASSERT_EQ(::pwrite(memory, "used", 4, at), 4);
  books.registry.release(*books.process, claim_of(first.opener).cookie);
  char found[4] = {};
  ASSERT_EQ(::pread(memory, found, 4, at), 4);
  EXPECT_EQ(std::memcmp(found, "used", 4), 0) << "one end is still there";
  books.registry.release(*books.process, claim_of(first.acceptor).cookie);
  ASSERT_EQ(::pread(memory, found, 4, at), 4);
  EXPECT_EQ(std::memcmp(found, "\0\0\0\0", 4), 0);
  EXPECT_NE(books.status().find("\"shm\":0"), std::string::npos);
  std::uint64_t generation = place.generation;
  for (int i = 0; i < 20; ++i) {
    const LoopbackConnection again;
    books.answers.clear();
    books.pair(claim_of(again.opener));
    books.pair(claim_of(again.acceptor));
    (void)books.next();
    const abi::Answer answer = books.next();
    EXPECT_EQ(answer.place.slab, place.slab);
    EXPECT_GT(answer.place.generation, generation);
    generation = answer.place.generation;
    for (const Fd* end : {&again.opener, &again.acceptor})
      books.registry.release(*books.process, claim_of(*end).cookie);
  }
}

TEST(Registry, ADoorbellIsGivenToBothProcessesOfASlabOnce) {
  const LoopbackConnection loop;
  const LoopbackConnection own;
  Books books;
  books.pair(claim_of(own.opener));
  books.pair(claim_of(own.acceptor));
  const std::uint64_t of_one_process = books.answers.back().place.slab;
  books.pair(claim_of(loop.opener));
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  auto other = books.registry.enrol(child, child, start_of(child));
  ASSERT_TRUE(other.ok());
  abi::Pair request{};
  request.socket = claim_of(loop.acceptor);
  books.registry.pair(**other, request);
  ASSERT_EQ(books.answers.back().outcome, abi::Outcome::shared);
  abi::WantDoorbell wish{};
  wish.slab = books.answers.back().place.slab;
  books.others.clear();
  books.descriptors.clear();
  const auto asked = [&](Process& process, std::uint64_t slab) {
    wish.slab = slab;
    books.registry.want_doorbell(process, wish);
    return books.others.size();
  };
  const std::uint64_t slab = wish.slab;
  EXPECT_EQ(asked(*books.process, of_one_process), 0U);
  EXPECT_EQ(asked(**other, of_one_process), 0U) << "it is not his";
  EXPECT_EQ(asked(*books.process, slab + 1000), 0U);
  EXPECT_EQ(asked(**other, slab), 2U);
  EXPECT_EQ(asked(*books.process, slab), 2U) << "an end may be rung whose other end is gone";
  EXPECT_EQ(books.others[0], abi::MessageType::doorbell);
  ASSERT_EQ(books.descriptors.size(), 2U);
  for (const unsigned end : {0U, 1U}) {
    const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{EPOLLIN | EPOLLET, {}};
    ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, books.descriptors[end].get(), &event), 0);
    EXPECT_EQ(::epoll_wait(epoll.get(), &event, 1, 0), 1) << "it is shut down";
    EXPECT_EQ(::epoll_wait(epoll.get(), &event, 1, 0), 0);
    EXPECT_EQ(::shutdown(books.descriptors[1 - end].get(), SHUT_WR), 0);
    EXPECT_EQ(::epoll_wait(epoll.get(), &event, 1, 0), 1) << "each shutdown(2) wakes";
    EXPECT_EQ(::send(books.descriptors[end].get(), "x", 1, MSG_NOSIGNAL), -1);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(Registry, QuotasHold) {
  const LoopbackConnection a;
  const LoopbackConnection b;
  Books connections("limit connections=2");
  connections.pair(claim_of(a.opener));
  connections.pair(claim_of(a.acceptor));
  connections.answers.clear();
  EXPECT_EQ(connections.refusal(claim_of(b.opener)), abi::Reason::quota_connections);
  connections.registry.release(*connections.process, claim_of(a.opener).cookie);
  connections.pair(claim_of(b.opener));
  EXPECT_EQ(connections.next().outcome, abi::Outcome::waiting);

  Books bytes("limit bytes=64K");
  bytes.pair(claim_of(a.opener));
  (void)bytes.next();
  bytes.pair(claim_of(a.acceptor));
  EXPECT_EQ(bytes.next().reason, abi::Reason::quota_bytes);
  EXPECT_EQ(bytes.next().reason, abi::Reason::quota_bytes);
  EXPECT_TRUE(bytes.descriptors.empty());
}

TEST(Registry, ConnectionsThatEndedWithoutAReleaseAreNoticedWhenRoomIsWanted) {
  Books quota("limit connections=2");
  {
    const LoopbackConnection lost;
    quota.pair(claim_of(lost.opener));
    quota.pair(claim_of(lost.acceptor));
    const LoopbackConnection refused;
    quota.answers.clear();
    EXPECT_EQ(quota.refusal(claim_of(refused.opener)), abi::Reason::quota_connections) << "both are still there";
  }
  const LoopbackConnection next;
  quota.pair(claim_of(next.opener));
  quota.pair(claim_of(next.acceptor));
  EXPECT_EQ(quota.next().outcome, abi::Outcome::waiting);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(quota.next().outcome, abi::Outcome::shared);

  Books slabs("limit ring=4K");
  const LoopbackConnection kept;
  slabs.pair(claim_of(kept.opener));
  slabs.pair(claim_of(kept.acceptor));
  for (int i = 0; i < 100; ++i) {
    const LoopbackConnection lost;
    slabs.pair(claim_of(lost.opener));
    slabs.pair(claim_of(lost.acceptor));
  }
  EXPECT_NE(slabs.status().find("\"slabs\":1,"), std::string::npos) << slabs.status();
  slabs.answers.clear();
  slabs.pair(claim_of(kept.opener));
  EXPECT_EQ(slabs.next().outcome, abi::Outcome::shared) << "it has not ended";
}

}  // namespace
}  // namespace sockdoc::monitor
