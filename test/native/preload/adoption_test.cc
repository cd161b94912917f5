#include "preload/connection/adoption.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "live_sockets.h"

namespace sockdoc::preload {
namespace {

void send(const Fd& to, std::size_t bytes, int flags = 0) {
  const std::vector<char> much(bytes, 'x');
  ASSERT_EQ(::send(to.get(), much.data(), bytes, flags), static_cast<ssize_t>(bytes));
}

void receive(const Fd& from, std::size_t bytes) {
  std::vector<char> into(bytes);
  ASSERT_EQ(::recv(from.get(), into.data(), bytes, MSG_WAITALL), static_cast<ssize_t>(bytes));
}

void wait_for(const Fd& fd, short events) {
  pollfd one{fd.get(), events, 0};
  ASSERT_EQ(::poll(&one, 1, 10'000), 1);
}

KernelCounts counts_of(const Fd& fd) {
  KernelCounts counts;
  EXPECT_EQ(count_by_kernel(fd.get(), counts), Counting::counted);
  return counts;
}

TEST(Adoption, CountsAreThoseOfTheCallsOnBothEndsWithBytesOnTheWay) {
  const LoopbackConnection pair;
  EXPECT_EQ(counts_of(pair.opener).sent, 0U);
  EXPECT_EQ(counts_of(pair.acceptor).sent, 0U);
  send(pair.opener, 70'000);
  receive(pair.acceptor, 123);
  send(pair.acceptor, 5);
  EXPECT_EQ(counts_of(pair.opener).sent, 70'000U);
  EXPECT_EQ(counts_of(pair.opener).received, 0U);
  EXPECT_EQ(counts_of(pair.acceptor).sent, 5U);
  EXPECT_EQ(counts_of(pair.acceptor).received, 123U);
  receive(pair.opener, 5);
  EXPECT_EQ(counts_of(pair.opener).received, 5U);
}

TEST(Adoption, WhatTheKernelHasNotSentYetIsSent) {
  const LoopbackConnection pair;
  std::size_t sent = 0;
  const std::vector<char> much(100'000, 'x');
  for (ssize_t n = 0; (n = ::send(pair.opener.get(), much.data(), much.size(), MSG_DONTWAIT)) > 0;) {
    sent += static_cast<std::size_t>(n);
  }
  int queued = 0;
  ASSERT_EQ(::ioctl(pair.opener.get(), TIOCOUTQ, &queued), 0);
  ASSERT_GT(queued, 0);
  EXPECT_EQ(counts_of(pair.opener).sent, sent);
}

TEST(Adoption, AHalfClosedSocketIsNotAdoptedNow) {
  const LoopbackConnection pair;
  KernelCounts counts;
  EXPECT_FALSE(look_at_adopted(pair.opener.get()).later);
  ASSERT_EQ(::shutdown(pair.opener.get(), SHUT_WR), 0);
  wait_for(pair.acceptor, POLLRDHUP);
  for (const Fd* end : {&pair.opener, &pair.acceptor}) {
    EXPECT_TRUE(look_at_adopted(end->get()).later);
    EXPECT_EQ(count_by_kernel(end->get(), counts), Counting::moving);
  }
  const LoopbackConnection other;
  ASSERT_EQ(::shutdown(other.opener.get(), SHUT_RD), 0);
  EXPECT_TRUE(look_at_adopted(other.opener.get()).later);
}

TEST(Adoption, UrgentDataStaysOnTheKernelAlsoWhenItWasReadOutOfTurn) {
  const LoopbackConnection pair;
  send(pair.opener, 10);
  send(pair.opener, 1, MSG_OOB);
  send(pair.opener, 10);
  wait_for(pair.acceptor, POLLPRI);
  EXPECT_EQ(look_at_adopted(pair.acceptor.get()).stays, abi::Reason::urgent_data);
  char byte = 0;
  ASSERT_EQ(::recv(pair.acceptor.get(), &byte, 1, MSG_OOB), 1);
  int there = 0;
  for (int i = 0; i < 1000 && there < 10; i++) {
    ASSERT_EQ(::ioctl(pair.acceptor.get(), FIONREAD, &there), 0);
    ::usleep(1000);
  }
  ASSERT_EQ(there, 10);  // up to the mark
  EXPECT_EQ(look_at_adopted(pair.acceptor.get()).stays, abi::Reason::urgent_data);
  int in_line = -1;
  socklen_t length = sizeof in_line;
  ASSERT_EQ(::getsockopt(pair.acceptor.get(), SOL_SOCKET, SO_OOBINLINE, &in_line, &length), 0);
  EXPECT_EQ(in_line, 0);
  EXPECT_EQ(look_at_adopted(pair.opener.get()).stays, abi::Reason::none);
}

TEST(Adoption, OptionsThatWereSetBeforeStayOnTheKernel) {
  const auto with = [](int level, int name, int value) {
    const LoopbackConnection pair;
    EXPECT_EQ(::setsockopt(pair.opener.get(), level, name, &value, sizeof value), 0) << name;
    return look_at_adopted(pair.opener.get());
  };
  EXPECT_EQ(with(SOL_SOCKET, SO_KEEPALIVE, 1).stays, abi::Reason::none);
  EXPECT_EQ(with(IPPROTO_TCP, TCP_NODELAY, 1).stays, abi::Reason::none);
  EXPECT_EQ(with(SOL_SOCKET, SO_TIMESTAMP, 1).stays, abi::Reason::socket_option);
  EXPECT_EQ(with(SOL_SOCKET, SO_TIMESTAMPNS, 1).stays, abi::Reason::socket_option);
  EXPECT_EQ(with(SOL_SOCKET, SO_ZEROCOPY, 1).stays, abi::Reason::socket_option);
  EXPECT_EQ(with(SOL_SOCKET, SO_OOBINLINE, 1).stays, abi::Reason::socket_option);
  EXPECT_EQ(with(SOL_SOCKET, SO_PEEK_OFF, 0).stays, abi::Reason::socket_option);
  EXPECT_EQ(with(SOL_SOCKET, SO_RCVLOWAT, 1).stays_receiving, abi::Reason::none);
  EXPECT_EQ(with(SOL_SOCKET, SO_RCVLOWAT, 7).stays_receiving, abi::Reason::socket_option);
  const LoopbackConnection pair;
  ASSERT_EQ(::fcntl(pair.opener.get(), F_SETFL, O_ASYNC), 0);
  EXPECT_EQ(look_at_adopted(pair.opener.get()).stays_receiving, abi::Reason::asynchronous);
}

}  // namespace
}  // namespace sockdoc::preload
