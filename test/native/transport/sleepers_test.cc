#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "link.h"

namespace sockdoc {
namespace {

/** Sends stamped messages by the ring where that may be, in a few parts, each answered by a byte from the other side
 * before the next. */
std::uint64_t send_and_wait(Link& link, int messages, unsigned seed) {
  StreamSender sender = link.sender();
  std::mt19937 random(seed);
  std::mt19937 parts(seed + 100);
  std::vector<std::byte> buffer(2000);
  std::uint64_t at = 0;
  for (int i = 0; i < messages; ++i) {
    const auto piece = std::span(buffer).first(1 + random() % buffer.size());
    fill(piece, at);
    for (std::size_t done = 0; done < piece.size();) {
      if (sender.carrier() == abi::Carrier::kernel && !sender.kernel_wanted() && sender.drained(sender.has_woken())) {
        (void)sender.switch_to(abi::Carrier::ring);
      }
      const std::size_t part = parts() % 2 == 0 ? piece.size() - done : 1 + parts() % (piece.size() - done);
      const Moved sent = sender.send(piece.subspan(done, part));
      if (sent.error != 0 && sent.error != EAGAIN) return 0;
      done += sent.bytes;
    }
    at += piece.size();
    pollfd answer{link.from(), POLLIN, 0};
    char byte = 0;
    if (::poll(&answer, 1, 30'000) != 1 || ::recv(link.from(), &byte, 1, 0) != 1) return 0;
  }
  return at;
}

struct Slept {
  Received received;
  std::uint64_t sleeps = 0;
  std::uint64_t missed = 0;  // nothing woke it although bytes were sent
  std::uint64_t by_ring = 0;
  std::uint64_t woken_once = 0;  // and the sender has gone on by the ring
};

/** Answers messages; looks a random number of times, then sleeps in poll(2) as a program would, at times `once`. */
Slept answer_sleeping(Link& link, int messages, unsigned seed, bool once) {
  StreamReceiver receiver = link.receiver();
  std::mt19937 random(seed);
  std::mt19937 lengths(seed + 1);
  std::vector<std::byte> buffer(2000);
  Slept sum;
  for (int i = 0; i < messages; ++i) {
    const std::size_t length = 1 + lengths() % buffer.size();
    unsigned looks = random() % 3 == 0 ? 0 : static_cast<unsigned>(random() % 400);
    for (std::size_t done = 0; done < length;) {
      const auto into = std::span(buffer).first(length - done);
      const Moved got = receiver.receive(into);
      sum.by_ring += receiver.carrier() == abi::Carrier::ring ? got.bytes : 0;
      sum.received.wrong += wrong(into.first(got.bytes), sum.received.bytes);
      sum.received.bytes += got.bytes;
      done += got.bytes;
      if (got.error != EAGAIN) continue;
      if (looks-- > 0) continue;
      looks = 0;
      const bool alone = once && random() % 4 != 0;
      const Rest rest = receiver.rest(alone);
      if (rest == Rest::impossible) sum.received.error = EPROTO;
      if (rest == Rest::sleep) {
        ++sum.sleeps;
        pollfd readable{link.to(), POLLIN, 0};
        if (::poll(&readable, 1, 30'000) != 1) ++sum.missed;
        if (alone && !receiver.want_always()) ++sum.woken_once;
        receiver.awake();
      }
      if (sum.missed > 0 || sum.received.error != 0) return sum;
    }
    const char byte = 1;
    if (::send(link.to(), &byte, 1, MSG_NOSIGNAL) != 1) return sum;
  }
  return sum;
}

void expect_all(const Slept& slept, std::uint64_t sent, bool once) {
  EXPECT_EQ(slept.missed, 0u);
  EXPECT_EQ(slept.received.error, 0);
  EXPECT_EQ(slept.received.wrong, 0u);
  EXPECT_GT(sent, 0u);
  EXPECT_EQ(slept.received.bytes, sent);
  EXPECT_GT(slept.sleeps, 0u);
  EXPECT_GT(slept.by_ring, 0u);
  if (once) {
    EXPECT_GT(slept.woken_once, 0u);
  }
}

// The lengths of the messages: the receiver draws them from the seed that the sender has.
void between_threads(int messages, unsigned seed, bool once) {
  Link link;
  ASSERT_TRUE(link.ok());
  std::atomic<std::uint64_t> sent{0};
  std::thread sender([&] { sent = send_and_wait(link, messages, seed + 1); });
  const Slept slept = answer_sleeping(link, messages, seed, once);
  link.close_receiver();
  sender.join();
  expect_all(slept, sent, once);
}

void between_processes(int messages, unsigned seed, bool once) {
  Link link;
  ASSERT_TRUE(link.ok());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    link.close_receiver();
    ::_exit(send_and_wait(link, messages, seed + 1) > 0 ? 0 : 1);
  }
  link.close_sender();
  const Slept slept = answer_sleeping(link, messages, seed, once);
  link.close_receiver();
  EXPECT_TRUE(ended_well(child));
  expect_all(slept, link.sender().sent(), once);
}

TEST(Stream, ASleeperIsWokenByTheKernelBetweenThreads) { between_threads(1'000, 31, false); }

TEST(Stream, ASleeperIsWokenByTheKernelBetweenProcesses) { between_processes(1'000, 41, false); }

TEST(Stream, ASleeperIsWokenOnceBetweenThreads) { between_threads(2'000, 51, true); }

TEST(Stream, ASleeperIsWokenOnceBetweenProcesses) { between_processes(2'000, 61, true); }

TEST(Stream, WhoSleepsAnewIsNotLeftAsleepByWhoWokeHimBefore) {
  Link link;
  ASSERT_TRUE(link.ok());
  ByteRing ring = link.ring();
  ASSERT_TRUE(ring.want_kernel(true));
  const std::uint64_t sleeper = ring.sleeper();
  EXPECT_TRUE(ByteRing::woken_once(sleeper));
  EXPECT_TRUE(ring.want_always());
  EXPECT_FALSE(ring.woke(sleeper));  // it has woken by itself
  ring.want_ring();
  ASSERT_TRUE(ring.want_kernel(true));
  EXPECT_FALSE(ring.woke(sleeper));  // and sleeps again
  EXPECT_TRUE(ring.kernel_wanted());
  EXPECT_TRUE(ring.woke(ring.sleeper()));
  EXPECT_FALSE(ring.kernel_wanted());
  EXPECT_FALSE(ring.want_always());
  ASSERT_TRUE(ring.want_kernel(true));
  ring.forbid();
  EXPECT_FALSE(ByteRing::woken_once(ring.sleeper()));
}

TEST(Stream, AReceiverThatWantsTheKernelForGoodGetsEverythingByIt) {
  Link link;
  ASSERT_TRUE(link.ok());
  auto sender = link.sender();
  auto receiver = link.receiver();
  std::byte bytes[100];
  fill(bytes, 0);
  const std::span<const std::byte> all(bytes);
  std::byte got[100];
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_EQ(sender.send(all.first(10)).bytes, 10u);
  EXPECT_EQ(receiver.rest(), Rest::bytes);
  EXPECT_EQ(receiver.receive(got).bytes, 10u);
  EXPECT_EQ(receiver.rest(), Rest::sleep);
  EXPECT_EQ(sender.send(all.subspan(10, 20)).bytes, 20u);
  EXPECT_EQ(sender.carrier(), abi::Carrier::kernel);
  pollfd readable{link.to(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 30'000), 1);
  // Even where the sender goes to the ring again, as it would had it not looked, nothing is put into it.
  EXPECT_TRUE(sender.switch_to(abi::Carrier::ring));
  EXPECT_EQ(sender.send(all.subspan(30)).bytes, 70u);
  EXPECT_EQ(sender.carrier(), abi::Carrier::kernel);
  for (std::size_t at = 10; at < 100;) {
    const Moved moved = receiver.receive(std::span(got).subspan(at));
    ASSERT_TRUE(moved.bytes > 0 || moved.error == EAGAIN);
    at += moved.bytes;
  }
  EXPECT_EQ(wrong(got, 0), 0u);
  EXPECT_EQ(receiver.received(), 100u);
  EXPECT_EQ(sender.sent(), 100u);
}

}  // namespace
}  // namespace sockdoc
