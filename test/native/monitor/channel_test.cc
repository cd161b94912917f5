#include "monitor/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <random>

namespace sockdoc::monitor {
namespace {

/** A channel and the client's end of it. */
class Wire {
 public:
  Wire() {
    int pair[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const int on = 1;
    EXPECT_EQ(::setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    channel = std::make_unique<Channel>(Fd(pair[0]), ::getuid());
    client = Fd(pair[1]);
  }
  void send(const void* bytes, std::size_t length) const {
    ASSERT_EQ(::send(client.get(), bytes, length, MSG_NOSIGNAL), static_cast<ssize_t>(length));
  }
  std::unique_ptr<Channel> channel;
  Fd client;
};

abi::Pair request(std::uint64_t sequence) {
  abi::Pair message{};
  message.header = {sizeof message, abi::kMonitorVersion, abi::MessageType::pair, sequence};
  return message;
}

TEST(Channel, WholeMessagesComeOutHoweverTheyCameIn) {
  const Wire wire;
  abi::Pair messages[3] = {request(1), request(2), request(3)};
  std::string bytes(reinterpret_cast<const char*>(messages), sizeof messages);
  std::uint64_t next = 1;
  for (const char byte : bytes) {
    wire.send(&byte, 1);
    if (wire.channel->read() != Channel::State::message) continue;
    abi::Header header;
    std::memcpy(&header, wire.channel->message().data(), sizeof header);
    EXPECT_EQ(header.sequence, next++);
    EXPECT_EQ(wire.channel->message().size(), sizeof(abi::Pair));
    EXPECT_EQ(wire.channel->sender().pid, ::getpid());
    EXPECT_EQ(wire.channel->sender().uid, ::getuid());
    wire.channel->drop();
  }
  EXPECT_EQ(next, 4u);
  wire.send(messages, sizeof messages);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(wire.channel->read(), Channel::State::message);
    wire.channel->drop();
  }
  EXPECT_EQ(wire.channel->read(), Channel::State::idle);
}

TEST(Channel, ALengthThatCannotBeEndsIt) {
  for (const std::uint32_t length : {0u, 15u, abi::kMaxRequestBytes + 1, ~0u}) {
    const Wire wire;
    abi::Pair message = request(1);
    message.header.length = length;
    wire.send(&message, sizeof message);
    EXPECT_EQ(wire.channel->read(), Channel::State::closed);
    EXPECT_EQ(wire.channel->read(), Channel::State::closed);
  }
}

TEST(Channel, DescriptorsAreNotWantedAndNotKept) {
  const Wire wire;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  abi::Pair message = request(1);
  iovec from{&message, sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &from;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &ends[1], sizeof(int));
  ASSERT_EQ(::sendmsg(wire.client.get(), &header, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof message));
  EXPECT_EQ(wire.channel->read(), Channel::State::closed);
  ::close(ends[1]);
  // The last writer is gone when the thread that closes has closed.
  char byte = 0;
  ssize_t got = -1;
  for (int i = 0; i < 1000 && got != 0; ++i, ::usleep(1000)) got = ::read(ends[0], &byte, 1);
  EXPECT_EQ(got, 0);
  ::close(ends[0]);
}

TEST(Channel, DamagedMessagesNeverLeaveTheBuffer) {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    const Wire wire;
    abi::Pair message = request(1);
    auto* bytes = reinterpret_cast<unsigned char*>(&message);
    for (int i = 0; i < 4; ++i) bytes[random() % 20] = static_cast<unsigned char>(random());
    wire.send(bytes, 1 + random() % sizeof message);
    for (int i = 0; i < 20; ++i) {
      if (wire.channel->read() != Channel::State::message) break;
      ASSERT_LE(wire.channel->message().size(), abi::kMaxRequestBytes);
      wire.channel->drop();
    }
  }
}

TEST(Channel, WhatDoesNotFitNowFollowsInOrderWithItsDescriptor) {
  const Wire wire;
  const abi::Pair message = request(1);
  std::size_t sent = 0;
  while (!wire.channel->kept()) {
    ASSERT_TRUE(wire.channel->send(&message, sizeof message, -1));
    sent += sizeof message;
  }
  const abi::Pair last = request(9);
  ASSERT_TRUE(wire.channel->send(&last, sizeof last, STDIN_FILENO));
  sent += sizeof last;
  std::string all;
  int descriptors = 0;
  while (all.size() < sent) {
    char buffer[65536];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec into{buffer, sizeof buffer};
    msghdr header{};
    header.msg_iov = &into;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(wire.client.get(), &header, MSG_DONTWAIT);
    if (got > 0) all.append(buffer, static_cast<std::size_t>(got));
    if (const cmsghdr* part = got > 0 ? CMSG_FIRSTHDR(&header) : nullptr; part != nullptr) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
      ::close(fd);
      ++descriptors;
    }
    ASSERT_TRUE(wire.channel->flush());
  }
  EXPECT_EQ(all.size(), sent);
  EXPECT_EQ(std::memcmp(all.data() + sent - sizeof last, &last, sizeof last), 0);
  EXPECT_EQ(descriptors, 1);
  EXPECT_FALSE(wire.channel->kept());
}

TEST(Channel, WhoNeverReadsIsGivenUp) {
  const Wire wire;
  const abi::Pair message = request(1);
  bool given_up = false;
  for (int i = 0; i < 100'000 && !given_up; ++i) given_up = !wire.channel->send(&message, sizeof message, -1);
  EXPECT_TRUE(given_up);
}

}  // namespace
}  // namespace sockdoc::monitor
