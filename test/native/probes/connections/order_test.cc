#include "probes/connections/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "table_rows.h"

namespace sockdoc {
namespace {

std::vector<std::uint64_t> cookies_by(const MadeReading& made, Sort sort, bool reverse = false,
                                      std::size_t limit = ~std::size_t{0}) {
  std::vector<Rank> ranks;
  const auto& rows = made.reading.rows;
  for (std::uint32_t i = 0; i < rows.size(); ++i) ranks.push_back(rank_of(sort, i, RowView(made.reading, rows[i])));
  order(ranks, reverse, limit, rows);
  std::vector<std::uint64_t> cookies;
  for (const Rank& rank : ranks) cookies.push_back(rows[rank.row].socket.cookie);
  return cookies;
}

InetSocket numbered(std::uint32_t cookie) {
  InetSocket socket = socket_of("10.0.0.1:1000", "10.0.0.2:80", cookie);
  socket.local_port = static_cast<std::uint16_t>(cookie);
  return socket;
}

using Cookies = std::vector<std::uint64_t>;

TEST(Order, WhatLacksTheFieldComesLastEitherWay) {
  MadeReading made;
  for (const std::uint32_t rtt : {0u, 500u, 20u}) {
    InetSocket socket = numbered(static_cast<std::uint32_t>(made.reading.rows.size() + 1));
    socket.info.fields.rtt = rtt;
    made.add(socket);
  }
  EXPECT_EQ(cookies_by(made, Sort::rtt), (Cookies{2, 3, 1}));
  EXPECT_EQ(cookies_by(made, Sort::rtt, true), (Cookies{3, 2, 1}));
  EXPECT_EQ(cookies_by(made, Sort::rtt, false, 1), (Cookies{2}));
  EXPECT_EQ(cookies_by(made, Sort::rtt, false, 0), Cookies{});
  EXPECT_EQ(cookies_by(made, Sort::port), (Cookies{3, 2, 1}));
}

TEST(Order, TroubleFirstThenTrafficThenListenersThenLeftovers) {
  MadeReading made;
  InetSocket busy = numbered(1);
  busy.info.fields.bytes_sent = 1'000'000;
  InetSocket left_over = numbered(2);
  left_over.state = kTimeWait;
  left_over.info.length = 0;
  InetSocket listener = numbered(3);
  listener.state = kListen;
  InetSocket stalled = numbered(4);  // its peer offers no window
  stalled.send_queue = stalled.info.fields.notsent_bytes = stalled.info.fields.snd_mss = 1000;
  InetSocket full_listener = listener;
  full_listener.cookie = 5;
  full_listener.receive_queue = 7;
  InetSocket quiet = numbered(6);
  for (const InetSocket& socket : {quiet, left_over, listener, busy, stalled, full_listener}) made.add(socket);
  EXPECT_EQ(cookies_by(made, Sort::matters), (Cookies{4, 5, 1, 6, 3, 2}));
}

TEST(Order, TheFirstOfManyAreThoseOfAFullSort) {
  std::mt19937 random(7);
  MadeReading made;
  for (std::uint32_t i = 1; i <= 5000; ++i) {
    InetSocket socket = numbered(i);
    socket.info.fields.bytes_received = random() % 300;
    made.add(socket);
  }
  const Cookies all = cookies_by(made, Sort::bytes);
  for (const std::size_t limit : {1u, 10u, 4999u}) {
    EXPECT_EQ(cookies_by(made, Sort::bytes, false, limit),
              Cookies(all.begin(), all.begin() + static_cast<long>(limit)));
  }
  ASSERT_EQ(all.size(), 5000u);
}

TEST(Order, NamesAreThoseOfTheModel) {
  EXPECT_EQ(sort_named("matters"), Sort::matters);
  EXPECT_EQ(sort_named("port"), Sort::port);
  EXPECT_FALSE(sort_named("size"));
}

}  // namespace
}  // namespace sockdoc
