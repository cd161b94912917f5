#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "link.h"

namespace sockdoc {
namespace {

TEST(Stream, GoesOnAtTheOffsetThatBothEndsHaveReached) {
  Link link;
  ASSERT_TRUE(link.ok());
  std::byte bytes[30];
  fill(bytes, 0);
  ASSERT_EQ(::send(link.from(), bytes, 10, 0), 10);
  auto sender = link.sender();
  auto receiver = link.receiver();
  sender.begin(10);
  (void)receiver.go_on(0);  // none of them has been read
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_EQ(sender.send(std::span(bytes).subspan(10)).bytes, 20u);
  std::byte got[30];
  EXPECT_EQ(receiver.receive(got).bytes, 10u);
  EXPECT_EQ(receiver.receive(std::span(got).subspan(10)).bytes, 20u);
  EXPECT_EQ(wrong(got, 0), 0u);
}

/** One direction carries 20 bytes by its ring and 10 by the kernel; then its ends move 30 without it. */
void rest_between(Link& link, std::span<const std::byte> all, bool late_switch) {
  auto sender = link.sender();
  auto receiver = link.receiver();
  std::byte got[100];
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_EQ(sender.send(all.first(20)).bytes, 20u);
  ASSERT_EQ(receiver.receive(got).bytes, 20u);
  receiver.forbid_ring();
  ASSERT_EQ(sender.send(all.subspan(20, 10)).bytes, 10u);
  ASSERT_EQ(receiver.receive(got).bytes, 10u);
  if (late_switch) {
    // It had looked before the ring was forbidden.
    ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
    ASSERT_TRUE(sender.switch_to(abi::Carrier::kernel));
  }
  ASSERT_EQ(::send(link.from(), all.subspan(30).data(), 30, 0), 30);
  ASSERT_EQ(::recv(link.to(), got, 30, MSG_WAITALL), 30);
}

TEST(Stream, GoesOnBehindWhatTheProgramMovedByItself) {
  for (const bool late_switch : {false, true}) {
    Link link;
    ASSERT_TRUE(link.ok());
    std::byte bytes[90];
    fill(bytes, 0);
    const std::span<const std::byte> all(bytes);
    rest_between(link, all, late_switch);
    auto sender = link.sender();
    auto receiver = link.receiver();
    sender.go_on(60);
    ASSERT_TRUE(receiver.go_on(60));
    EXPECT_EQ(sender.sent(), 60u);
    EXPECT_EQ(receiver.received(), 60u);
    receiver.awake();
    ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
    ASSERT_EQ(sender.send(all.subspan(60)).bytes, 30u);
    EXPECT_EQ(sender.carrier(), abi::Carrier::ring);
    std::byte got[30];
    EXPECT_EQ(receiver.receive(got).bytes, 30u);
    EXPECT_EQ(wrong(got, 60), 0u);
  }
}

TEST(Stream, DoesNotGoOnBehindBytesThatCannotBe) {
  Link link;
  ASSERT_TRUE(link.ok());
  auto sender = link.sender();
  auto receiver = link.receiver();
  const std::byte bytes[10] = {};
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_EQ(sender.send(bytes).bytes, 10u);
  EXPECT_FALSE(receiver.go_on(20)) << "the ring is not empty";
  std::byte got[10];
  ASSERT_EQ(receiver.receive(got).bytes, 10u);
  EXPECT_FALSE(receiver.go_on(9)) << "fewer than came by the ring";
  link.shared().sender.published = 100 << 1;
  EXPECT_FALSE(receiver.go_on(10)) << "more switches than there are places";
}

TEST(Stream, NothingIsTakenAtOnceAcrossASwitch) {
  Link link;
  ASSERT_TRUE(link.ok());
  std::byte bytes[40];
  fill(bytes, 0);
  const auto part = [&](std::size_t from, std::size_t count) { return std::span(bytes).subspan(from, count); };
  auto sender = link.sender();
  auto receiver = link.receiver();
  std::byte got[40];
  EXPECT_FALSE(sender.send_at_once(part(0, 10)));  // the kernel carries
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_TRUE(sender.send_at_once(part(0, 10)));
  EXPECT_EQ(receiver.receive_at_once(got, 1), 0u);  // the switch is not taken yet
  ASSERT_EQ(receiver.receive(std::span(got, 4)).bytes, 4u);
  EXPECT_EQ(receiver.receive_at_once(got, 7), 0u);  // there are 6
  ASSERT_EQ(receiver.receive_at_once(std::span(got).subspan(4, 2), 1), 2u);
  ASSERT_TRUE(sender.switch_to(abi::Carrier::kernel));
  ASSERT_EQ(sender.send(part(10, 10)).bytes, 10u);
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_TRUE(sender.send_at_once(part(20, 20)));
  EXPECT_EQ(receiver.receive_at_once(std::span(got).subspan(6, 4), 1), 4u);  // known of before the switches
  EXPECT_EQ(receiver.receive_at_once(std::span(got).subspan(10), 1), 0u);
  ASSERT_EQ(receiver.receive(std::span(got).subspan(10)).bytes, 10u);
  ASSERT_EQ(receiver.receive(std::span(got).subspan(20, 1)).bytes, 1u);
  EXPECT_EQ(receiver.receive_at_once(std::span(got).subspan(21), 19), 19u);
  EXPECT_EQ(wrong(got, 0), 0u);
}

TEST(Stream, AResetComesAfterWhatTheRingHolds) {
  Link link;
  ASSERT_TRUE(link.ok());
  auto sender = link.sender();
  auto receiver = link.receiver();
  std::byte bytes[10];
  fill(bytes, 0);
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_EQ(sender.send(bytes).bytes, 10u);
  const linger at_once{1, 0};
  ::setsockopt(link.from(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  link.close_sender();
  std::byte got[100];
  EXPECT_EQ(receiver.receive(got).bytes, 10u);
  EXPECT_EQ(receiver.receive(got).error, ECONNRESET);
  EXPECT_TRUE(receiver.receive(got).end);
}

TEST(Stream, AFullRingTakesWhatTheKernelWouldTake) {
  Link link;
  ASSERT_TRUE(link.ok());
  Link plain;
  ASSERT_TRUE(plain.ok());
  std::vector<std::byte> piece(10'000);
  std::uint64_t kernel_alone = 0;
  for (;;) {
    const iovec part = {piece.data(), piece.size()};
    const Moved sent = KernelStream(plain.from()).send(std::span(&part, 1));
    if (sent.error != 0) break;
    kernel_alone += sent.bytes;
  }
  ASSERT_GT(kernel_alone, kRingBytes);

  auto sender = link.sender();
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  std::uint64_t taken = 0;
  for (;;) {
    fill(piece, taken);
    const Moved sent = sender.send(piece);
    if (sent.error != 0) break;
    taken += sent.bytes;
  }
  // The kernel's own limit moves a little with the sizes of what is written.
  EXPECT_GT(taken, kernel_alone * 9 / 10);
  EXPECT_EQ(sender.carrier(), abi::Carrier::kernel);
  EXPECT_FALSE(sender.drained());
  ::shutdown(link.from(), SHUT_WR);
  const Received received = receive_all(link.receiver(), 5);
  EXPECT_EQ(received.wrong, 0u);
  EXPECT_EQ(received.bytes, taken);
  EXPECT_TRUE(sender.drained());
}

TEST(Stream, AReaderThatStandsInAKernelReadHoldsUpTheWayBackOnly) {
  Link link;
  ASSERT_TRUE(link.ok());
  link.shared().receiver.kernel_reads = 7;  // as if it had been stopped there
  auto sender = link.sender();
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  std::vector<std::byte> piece(kRingBytes);
  fill(piece, 0);
  EXPECT_EQ(sender.send(piece).bytes, kRingBytes);
  EXPECT_EQ(sender.send(piece).error, EAGAIN);
  EXPECT_EQ(sender.carrier(), abi::Carrier::ring);
  link.shared().receiver.kernel_reads = 8;  // it went on
  EXPECT_TRUE(sender.switch_to(abi::Carrier::kernel));
}

TEST(Stream, AWayBackToTheKernelIsAlwaysLeft) {
  Link link;
  ASSERT_TRUE(link.ok());
  auto sender = link.sender();
  const std::byte byte{1};
  int toggles = 0;
  while (sender.switch_to(sender.carrier() == abi::Carrier::ring ? abi::Carrier::kernel : abi::Carrier::ring)) {
    ASSERT_EQ(sender.send({&byte, 1}).bytes, 1u);
    ASSERT_LE(++toggles, 100);
  }
  EXPECT_EQ(sender.carrier(), abi::Carrier::kernel);
  EXPECT_GE(toggles, 6);
}

TEST(Stream, TellsHowMuchComesBeforeOnlyTheKernelIsLeft) {
  const Link link;
  ASSERT_TRUE(link.ok());
  StreamSender sender = link.sender();
  StreamReceiver receiver = link.receiver();
  const std::vector<std::byte> bytes(300);
  EXPECT_EQ(receiver.until_ring_is_empty(), 0U);
  ASSERT_EQ(sender.send(std::span(bytes).first(100)).bytes, 100U);
  EXPECT_EQ(receiver.until_ring_is_empty(), 0U) << "the kernel has it";
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_EQ(sender.send(std::span(bytes).first(30)).bytes, 30U);
  EXPECT_EQ(receiver.until_ring_is_empty(), 130U);
  receiver.forbid_ring();
  ASSERT_EQ(sender.send(bytes).bytes, 300U);
  EXPECT_EQ(receiver.until_ring_is_empty(), 130U) << "what the kernel has behind it does not count";
  std::vector<std::byte> into(120);
  for (std::size_t got = 0; got < into.size();) {
    const Moved moved = receiver.receive(std::span(into).subspan(got));
    ASSERT_GT(moved.bytes, 0U);
    got += moved.bytes;
  }
  EXPECT_EQ(receiver.until_ring_is_empty(), 10U);
  link.shared().sender.switches[1] = abi::Switch{1, abi::Carrier::kernel}.word();  // it was 130
  EXPECT_EQ(receiver.until_ring_is_empty(), kRingViolated);
}

TEST(Stream, APeerThatScribblesNeverMakesUsCrashOrSpin) {
  Link link;
  ASSERT_TRUE(link.ok());
  std::atomic<bool> over{false};
  std::thread hostile([&] {
    std::mt19937_64 random(9);
    auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(&link.shared());
    while (!over) {
      const std::uint64_t value = random() % 3 == 0 ? random() : random() % 40'000;
      words[random() % (sizeof(abi::Direction) / 8)].store(value, std::memory_order_relaxed);
    }
  });
  std::vector<std::byte> buffer(kRingBytes);
  std::mt19937 random(10);
  auto sender = link.sender();
  auto receiver = link.receiver();
  for (int i = 0; i < 20'000; ++i) {
    const auto piece = std::span(buffer).first(random() % buffer.size());
    ASSERT_LE(sender.send(piece).bytes, piece.size());
    ASSERT_LE(receiver.receive(piece).bytes, piece.size());
    ASSERT_LE(receiver.peek(piece).bytes, piece.size());
    if (random() % 16 == 0) (void)sender.switch_to(random() % 2 == 0 ? abi::Carrier::ring : abi::Carrier::kernel);
  }
  over = true;
  hostile.join();
}

}  // namespace
}  // namespace sockdoc
