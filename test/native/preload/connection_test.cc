#include "preload/connection/connection.h"

#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "both_ends.h"
#include "preload/calls.h"
#include "preload/connection/connections.h"
#include "ringed_pair.h"

namespace sockdoc::preload {
namespace {

constexpr std::uint32_t kRingBytes = BothEndsTest::kRingBytes;
constexpr std::size_t kBytes = std::size_t{1} << 20;

std::byte at(std::size_t offset, unsigned seed) { return static_cast<std::byte>(offset * 31 + (offset >> 8) + seed); }

class ConnectionTest : public BothEndsTest {};

std::uint32_t segments_sent(int fd) {
  tcp_info info = {};
  socklen_t length = sizeof info;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return info.tcpi_data_segs_out;
}

/** The receiver sleeps, so that the kernel carries: a header and a body wake it once. */
TEST_F(ConnectionTest, ThePartsOfOneCallGoByTheKernelInOneSegment) {
  Connection* const receiver = connection_of(table.find(ends_[1]));
  ASSERT_NE(receiver, nullptr);
  receiver->mark(table.find(ends_[1]));
  const std::uint32_t before = segments_sent(ends_[0]);
  char text[] = "a header, a body";
  const iovec parts[] = {{text, 8}, {text, 0}, {text + 8, 2}, {text + 10, 6}};
  EXPECT_EQ(sockdoc_hook_writev(ends_[0], parts, 4), 16);
  EXPECT_EQ(segments_sent(ends_[0]), before + 1);
  char got[32] = {};
  EXPECT_EQ(sockdoc_hook_recv(ends_[1], got, sizeof got, 0), 16);
  EXPECT_STREQ(got, text);
}

void send_all(int fd, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<std::byte> bytes(3 * kRingBytes);
  for (std::size_t sent = 0; sent < kBytes;) {
    const std::size_t size = std::min<std::size_t>(random() % bytes.size() + 1, kBytes - sent);
    for (std::size_t i = 0; i < size; i++) bytes[i] = at(sent + i, seed);
    const ssize_t put = sockdoc_hook_send(fd, bytes.data(), size, 0);
    ASSERT_GT(put, 0);
    sent += static_cast<std::size_t>(put);
    // The receiver falls asleep now and then.
    if (random() % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void receive_all(int fd, unsigned seed) {
  std::minstd_rand random(seed + 7);
  std::vector<std::byte> bytes(2 * kRingBytes);
  for (std::size_t got = 0; got < kBytes;) {
    const std::size_t size = std::min<std::size_t>(random() % bytes.size() + 1, kBytes - got);
    const int flags = random() % 4 == 0 ? MSG_WAITALL : 0;
    const ssize_t now = sockdoc_hook_recv(fd, bytes.data(), size, flags);
    ASSERT_GT(now, 0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(now); i++) ASSERT_EQ(bytes[i], at(got + i, seed)) << got + i;
    got += static_cast<std::size_t>(now);
  }
}

// Every so many calls that found nothing the kernel is asked for nothing, and may have an error to tell.
/** A reader that looks meanwhile would otherwise read the first part, and come again for the rest. */
TEST_F(ConnectionTest, ThePartsOfOneCallAreAnnouncedTogether) {
  constexpr std::size_t kMessage = 10;
  constexpr std::size_t kAll = 20'000 * kMessage;
  RingedPair pair;
  StreamReceiver from(pair.slot().directions[1], pair.ring(1), KernelStream(pair.peer()));
  char digits[] = "0123456789";
  iovec parts[] = {{digits, 3}, {digits, 0}, {digits + 3, 6}, {digits + 9, 1}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = std::size(parts);
  std::atomic<std::size_t> taken{0};
  from.awake();
  std::thread reader([&] {
    char text[kMessage * 8];
    while (taken < kAll) {
      const Moved now = from.receive(std::as_writable_bytes(std::span(text)));
      ASSERT_EQ(now.bytes % kMessage, 0U);
      for (std::size_t i = 0; i < now.bytes; i++) ASSERT_EQ(text[i], digits[i % kMessage]);
      taken += now.bytes;
    }
  });
  for (std::size_t sent = 0; sent < kAll; sent += kMessage) {
    while (sent - taken > 1000) std::this_thread::yield();
    ASSERT_EQ(sent % 20 == 0 ? sockdoc_hook_writev(pair.fd, parts, static_cast<int>(std::size(parts)))
                             : sockdoc_hook_sendmsg(pair.fd, &message, 0),
              static_cast<ssize_t>(kMessage));
  }
  reader.join();
  EXPECT_EQ(state(pair.fd).sent, kAll);
  EXPECT_GT(state(pair.fd).ring_sent, kAll / 2);
}

TEST_F(ConnectionTest, AResetIsToldHoweverManyCallsCameBefore) {
  constexpr int kCalls = 1024;
  for (const int before : {kCalls - 3, kCalls - 2, kCalls - 1, kCalls}) {
    RingedPair pair;
    char byte = 0;
    for (int call = 1; call < before; call++) ASSERT_EQ(sockdoc_hook_recv(pair.fd, &byte, 1, MSG_DONTWAIT), -1);
    const linger at_once = {1, 0};
    ASSERT_EQ(::setsockopt(pair.peer(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    pair.close_peer();
    EXPECT_EQ(sockdoc_hook_recv(pair.fd, &byte, 1, MSG_DONTWAIT), -1) << before;
    EXPECT_EQ(errno, ECONNRESET) << before;
    EXPECT_EQ(sockdoc_hook_recv(pair.fd, &byte, 1, MSG_DONTWAIT), 0) << before;
  }
}

/** The ring takes some bytes of a call, and the kernel says of the others that there is nobody any more. */
TEST_F(ConnectionTest, ASendThatWentInPartLeavesTheErrorForTheNextCall) {
  for (const bool sends_next : {true, false}) {
    for (const int flags : {0, int{MSG_DONTWAIT}}) {
      RingedPair pair;
      std::vector<std::byte> bytes(65536);  // more than the ring
      StreamReceiver(pair.slot().directions[1], pair.ring(1), KernelStream(pair.peer())).awake();
      ASSERT_EQ(sockdoc_hook_send(pair.fd, bytes.data(), 1, 0), 1);  // to the ring
      const linger at_once = {1, 0};
      ASSERT_EQ(::setsockopt(pair.peer(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
      pair.close_peer();
      const ssize_t put = sockdoc_hook_send(pair.fd, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
      ASSERT_GT(put, 0);
      ASSERT_LT(put, static_cast<ssize_t>(bytes.size()));
      std::byte byte{};
      EXPECT_EQ(sends_next ? sockdoc_hook_send(pair.fd, bytes.data(), bytes.size(), 0)
                           : sockdoc_hook_recv(pair.fd, &byte, 1, 0),
                -1);
      EXPECT_EQ(errno, ECONNRESET) << sends_next << flags;
      EXPECT_EQ(sockdoc_hook_send(pair.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), -1);
      EXPECT_EQ(errno, EPIPE) << sends_next << flags;
      EXPECT_EQ(sockdoc_hook_recv(pair.fd, &byte, 1, 0), 0) << sends_next << flags;
    }
  }
}

TEST_F(ConnectionTest, AListThatCannotBeIsLeftToTheKernel) {
  RingedPair pair;
  ASSERT_TRUE(pair.send(1));
  const auto* nowhere = reinterpret_cast<const iovec*>(8);
  EXPECT_EQ(sockdoc_hook_readv(pair.fd, nowhere, 1), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(sockdoc_hook_writev(pair.fd, nowhere, 1), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(pair.receive(), 1U);
}

TEST_F(ConnectionTest, AMessageThatCannotBeIsLeftToTheKernelWhereNothingGoesByARing) {
  const int fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_TRUE(table.find(fd));
  void* wall = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(sockdoc_hook_sendmsg(fd, static_cast<msghdr*>(wall), 0), -1);
  EXPECT_EQ(errno, EFAULT);
  ::munmap(wall, 4096);
  sockdoc_hook_close(fd);
}

// A thread that slept on a socket which another one has closed, or which libsd has left meanwhile, wakes later.
TEST_F(ConnectionTest, WhoSleptOnAnotherConnectionDoesNotCountForThoseWhoSleepNow) {
  auto former = std::make_unique<RingedPair>();
  Connection* const record = connection_of(table.find(former->fd));
  const std::uint64_t before = table.find(former->fd).word();
  ASSERT_TRUE(record->let_kernel_wake(before));
  former.reset();
  RingedPair pair;
  const std::uint64_t now = table.find(pair.fd).word();
  ASSERT_EQ(connection_of(Handle(now)), record);
  ASSERT_TRUE(record->let_kernel_wake(now));
  record->awake(before);
  EXPECT_EQ(pair.receive(), 0U);
  EXPECT_TRUE(pair.marked()) << "what comes by the ring would not wake who sleeps";
  EXPECT_FALSE(record->let_kernel_wake(before));
  record->awake(now);
  EXPECT_EQ(pair.receive(), 0U);
  EXPECT_FALSE(pair.marked());
}

TEST_F(ConnectionTest, CarriesBothDirectionsBetweenThreadsThatSleep) {
  std::thread threads[] = {std::thread(send_all, ends_[0], 1), std::thread(send_all, ends_[1], 2),
                           std::thread(receive_all, ends_[1], 1), std::thread(receive_all, ends_[0], 2)};
  for (std::thread& thread : threads) thread.join();
  for (const int fd : ends_) {
    EXPECT_EQ(state(fd).sent, kBytes + 2);
    EXPECT_EQ(state(fd).received, kBytes + 2);
    EXPECT_GT(state(fd).ring_sent, 0U);
  }
}

TEST_F(ConnectionTest, GoesBackToTheKernelBetweenTwoBytes) {
  std::thread threads[] = {std::thread(send_all, ends_[0], 3), std::thread(receive_all, ends_[1], 3),
                           std::thread([this] {
                             std::this_thread::sleep_for(std::chrono::milliseconds(2));
                             connections.stay(table.find(ends_[1]), abi::Reason::socket_option);
                           })};
  for (std::thread& thread : threads) thread.join();
  char byte = 0;
  ASSERT_EQ(sockdoc_hook_send(ends_[0], "x", 1, 0), 1);
  pollfd one = {ends_[1], POLLIN, 0};
  ASSERT_EQ(poll(&one, 1, 30'000), 1) << "the kernel has what comes now";
  ASSERT_EQ(sockdoc_hook_recv(ends_[1], &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'x');
}

}  // namespace
}  // namespace sockdoc::preload
