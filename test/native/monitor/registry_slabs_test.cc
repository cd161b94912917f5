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
