#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "transport/stream_receiver.h"
#include "transport/stream_sender.h"

namespace sockdoc {
namespace {

constexpr std::size_t kRingBytes = 16384;

/** A TCP connection over loopback, and one direction's shared memory, as two processes would have it. */
class Link {
 public:
  Link() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ok_ = ::bind(listener, generic, length) == 0 && ::listen(listener, 1) == 0 &&
          ::getsockname(listener, generic, &length) == 0;
    from_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ok_ = ok_ && ::connect(from_, generic, length) == 0;
    to_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ::close(listener);
    // Nothing waits for an acknowledgement that the kernel delays.
    const int on = 1;
    for (const int end : {from_, to_}) ok_ = ok_ && ::setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    memory_ =
        ::mmap(nullptr, sizeof(abi::Direction) + kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ok_ = ok_ && to_ >= 0 && memory_ != MAP_FAILED;
  }
  ~Link() {
    close_sender();
    close_receiver();
    ::munmap(memory_, sizeof(abi::Direction) + kRingBytes);
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] abi::Direction& shared() const { return *static_cast<abi::Direction*>(memory_); }
  [[nodiscard]] ByteRing ring() const {
    return ByteRing(shared(), {static_cast<std::byte*>(memory_) + sizeof(abi::Direction), kRingBytes});
  }
  [[nodiscard]] StreamSender sender() const { return {shared(), ring(), KernelStream(from_)}; }
  [[nodiscard]] StreamReceiver receiver() const { return {shared(), ring(), KernelStream(to_)}; }
  [[nodiscard]] int to() const { return to_; }
  [[nodiscard]] int from() const { return from_; }
  void close_sender() { close_one(from_); }
  void close_receiver() { close_one(to_); }

 private:
  static void close_one(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int from_ = -1;
  int to_ = -1;
  void* memory_ = nullptr;
  bool ok_ = false;
};

std::byte stamp(std::uint64_t at) { return static_cast<std::byte>(at * 0x9e3779b97f4a7c15u >> 56); }

void fill(std::span<std::byte> bytes, std::uint64_t at) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = stamp(at + i);
}

std::uint64_t wrong(std::span<const std::byte> bytes, std::uint64_t at) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) count += bytes[i] != stamp(at + i);
  return count;
}

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
    const Moved sent = sender.send(piece);
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

struct Received {
  std::uint64_t bytes = 0;
  std::uint64_t wrong = 0;
  int error = 0;
};

/** Takes everything in random pieces until the end of the stream. */
Received receive_all(StreamReceiver receiver, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> buffer(2 * kRingBytes);
  Received sum;
  for (;;) {
    const auto into = std::span(buffer).first(1 + random() % (random() % 4 == 0 ? buffer.size() : 100));
    const Moved got = receiver.receive(into);
    if (got.end) return sum;
    if (got.error == EAGAIN) {
      std::this_thread::yield();
      continue;
    }
    if (got.error != 0) {
      sum.error = got.error;
      return sum;
    }
    sum.wrong += wrong(into.first(got.bytes), sum.bytes);
    sum.bytes += got.bytes;
  }
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
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(received.error, 0);
  EXPECT_EQ(received.wrong, 0u);
  EXPECT_EQ(received.bytes, link.sender().sent());
}

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
Slept answer_sleeping(Link& link, int messages, unsigned seed, bool once = false) {
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

void expect_all(const Slept& slept, std::uint64_t sent) {
  EXPECT_EQ(slept.missed, 0u);
  EXPECT_EQ(slept.received.error, 0);
  EXPECT_EQ(slept.received.wrong, 0u);
  EXPECT_GT(sent, 0u);
  EXPECT_EQ(slept.received.bytes, sent);
  EXPECT_GT(slept.sleeps, 0u);
  EXPECT_GT(slept.by_ring, 0u);
}

// The lengths of the messages: the receiver draws them from the seed that the sender has.
TEST(Stream, ASleeperIsWokenByTheKernelBetweenThreads) {
  Link link;
  ASSERT_TRUE(link.ok());
  constexpr int kMessages = 1'000;
  std::atomic<std::uint64_t> sent{0};
  std::thread sender([&] { sent = send_and_wait(link, kMessages, 32); });
  const Slept slept = answer_sleeping(link, kMessages, 31);
  link.close_receiver();
  sender.join();
  expect_all(slept, sent);
}

TEST(Stream, ASleeperIsWokenByTheKernelBetweenProcesses) {
  Link link;
  ASSERT_TRUE(link.ok());
  constexpr int kMessages = 1'000;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    link.close_receiver();
    ::_exit(send_and_wait(link, kMessages, 42) > 0 ? 0 : 1);
  }
  link.close_sender();
  const Slept slept = answer_sleeping(link, kMessages, 41);
  link.close_receiver();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  expect_all(slept, link.sender().sent());
}

TEST(Stream, ASleeperIsWokenOnceBetweenThreads) {
  Link link;
  ASSERT_TRUE(link.ok());
  constexpr int kMessages = 2'000;
  std::atomic<std::uint64_t> sent{0};
  std::thread sender([&] { sent = send_and_wait(link, kMessages, 52); });
  const Slept slept = answer_sleeping(link, kMessages, 51, true);
  link.close_receiver();
  sender.join();
  expect_all(slept, sent);
  EXPECT_GT(slept.woken_once, 0u);
}

TEST(Stream, ASleeperIsWokenOnceBetweenProcesses) {
  Link link;
  ASSERT_TRUE(link.ok());
  constexpr int kMessages = 2'000;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    link.close_receiver();
    ::_exit(send_and_wait(link, kMessages, 62) > 0 ? 0 : 1);
  }
  link.close_sender();
  const Slept slept = answer_sleeping(link, kMessages, 61, true);
  link.close_receiver();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  expect_all(slept, link.sender().sent());
  EXPECT_GT(slept.woken_once, 0u);
}

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

TEST(Stream, GoesOnAtTheOffsetThatBothEndsHaveReached) {
  Link link;
  ASSERT_TRUE(link.ok());
  std::byte bytes[30];
  fill(bytes, 0);
  ASSERT_EQ(::send(link.from(), bytes, 10, 0), 10);
  auto sender = link.sender();
  auto receiver = link.receiver();
  sender.begin(10);
  receiver.begin(0);  // none of them has been read
  ASSERT_TRUE(sender.switch_to(abi::Carrier::ring));
  ASSERT_EQ(sender.send(std::span(bytes).subspan(10)).bytes, 20u);
  std::byte got[30];
  EXPECT_EQ(receiver.receive(got).bytes, 10u);
  EXPECT_EQ(receiver.receive(std::span(got).subspan(10)).bytes, 20u);
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

TEST(Stream, APeekAcrossAllSwitchesHasTheBytesInTheirOrder) {
  const Link link;
  ASSERT_TRUE(link.ok());
  StreamSender sender = link.sender();
  StreamReceiver receiver = link.receiver();
  std::vector<std::byte> bytes(70);
  for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = std::byte(i);
  std::size_t sent = 0;
  for (const std::size_t part : {10U, 20U, 5U, 25U, 10U}) {
    ASSERT_EQ(sender.send(std::span(bytes).subspan(sent, part)).bytes, part);
    sent += part;
    ASSERT_TRUE(sender.switch_to(sender.carrier() == abi::Carrier::ring ? abi::Carrier::kernel : abi::Carrier::ring));
  }
  std::vector<std::byte> into(100);
  std::vector<std::byte> room(100);
  for (const std::size_t wanted : {5U, 10U, 29U, 36U, 70U, 100U}) {
    const Moved seen = receiver.peek_across(std::span(into).first(wanted), room);
    ASSERT_EQ(seen.bytes, std::min<std::size_t>(wanted, 70));
    EXPECT_TRUE(std::equal(into.begin(), into.begin() + static_cast<long>(seen.bytes), bytes.begin())) << wanted;
  }
  EXPECT_EQ(receiver.received(), 0U);
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
    if (random() % 16 == 0) (void)sender.switch_to(random() % 2 == 0 ? abi::Carrier::ring : abi::Carrier::kernel);
  }
  over = true;
  hostile.join();
}

}  // namespace
}  // namespace sockdoc
