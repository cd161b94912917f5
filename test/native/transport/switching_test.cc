#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "link.h"

namespace sockdoc {
namespace {

/** Sends stamped bytes in random pieces until `switches` are done; then the last piece, and returns how many there
 * were. */
std::uint64_t send_switching(StreamSender sender, std::uint64_t switches, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> buffer(3 * kRingBytes);
  std::uint64_t at = 0;
  for (std::uint64_t done = 0; done < switches;) {
    // The kernel takes megabytes: a receiver that is far behind would be all that is tested.
    if (sender.behind() > 4 * kRingBytes) {
      std::this_thread::yield();
      continue;
    }
    const std::size_t count = random() % 8 == 0 ? random() % buffer.size() : 1 + random() % 200;
    const auto piece = std::span(buffer).first(count);
    fill(piece, at);
    const bool at_once = random() % 2 == 0 && sender.send_at_once(piece);
    const Moved sent = at_once ? Moved{count} : sender.send(piece);
    if (sent.error != 0 && sent.error != EAGAIN) return 0;
    if (sent.error == EAGAIN) std::this_thread::yield();
    at += sent.bytes;
    if (random() % 2 == 0) continue;
    const auto other = sender.carrier() == abi::Carrier::ring ? abi::Carrier::kernel : abi::Carrier::ring;
    if (sender.switch_to(other)) {
      ++done;
    } else {
      std::this_thread::yield();
    }
  }
  return at;
}

TEST(Stream, SwitchesToAndFroBetweenThreadsWithoutALostByte) {
  Link link;
  ASSERT_TRUE(link.ok());
  std::atomic<std::uint64_t> sent{0};
  std::thread sender([&] {
    sent = send_switching(link.sender(), 10'000, 11);
    ::shutdown(link.from(), SHUT_WR);
  });
  const Received received = receive_all(link.receiver(), 12);
  sender.join();
  EXPECT_EQ(received.error, 0);
  EXPECT_EQ(received.wrong, 0u);
  EXPECT_EQ(received.too_few, 0u);
  EXPECT_GT(sent.load(), 0u);
  EXPECT_EQ(received.bytes, sent.load());
}

TEST(Stream, SwitchesToAndFroBetweenProcessesWithoutALostByte) {
  Link link;
  ASSERT_TRUE(link.ok());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    link.close_receiver();
    const std::uint64_t sent = send_switching(link.sender(), 10'000, 21);
    // Its own count, where the parent can see it after the last byte.
    ::_exit(sent == link.sender().sent() && sent > 0 ? 0 : 1);
  }
  link.close_sender();
  const Received received = receive_all(link.receiver(), 22);
  EXPECT_TRUE(ended_well(child));
  EXPECT_EQ(received.error, 0);
  EXPECT_EQ(received.wrong, 0u);
  EXPECT_EQ(received.bytes, link.sender().sent());
}

TEST(Stream, TheLastBytesComeBeforeTheEnd) {
  for (int round = 0; round < 200; ++round) {
    Link link;
    ASSERT_TRUE(link.ok());
    std::thread sender([&] {
      auto half = link.sender();
      std::byte bytes[3];
      fill(bytes, 0);
      (void)half.switch_to(abi::Carrier::ring);
      (void)half.send(bytes);
      link.close_sender();
    });
    const Received received = receive_all(link.receiver(), 1);
    sender.join();
    ASSERT_EQ(received.bytes, 3u);
    ASSERT_EQ(received.wrong, 0u);
  }
}

}  // namespace
}  // namespace sockdoc
