#include "probes/connections/limited_by.h"

#include <gtest/gtest.h>

#include "table_rows.h"

namespace sockdoc {
namespace {

constexpr std::uint64_t kSecondUs = 1'000'000;

InetSocket connected() { return socket_of("10.0.0.1:1", "10.0.0.2:2"); }

/** Over a second that was so many µs busy, and of that limited by the window and by the buffer. */
std::optional<LimitedBy> over_a_second(InetSocket socket, std::uint64_t busy, std::uint64_t window,
                                       std::uint64_t buffer) {
  const ConnectionCounters before = counters_of(socket);
  socket.info.fields.busy_time += busy;
  socket.info.fields.rwnd_limited += window;
  socket.info.fields.sndbuf_limited += buffer;
  return limited_by(socket, activity_since(socket, &before, false, 1000));
}

std::optional<LimitedBy> now(const InetSocket& socket) { return limited_by(socket, Activity{}); }

TEST(LimitedBy, WhatTookMostOfTheWindow) {
  InetSocket socket = connected();
  socket.info.fields.busy_time = socket.info.fields.sndbuf_limited = 60 * kSecondUs;  // long ago
  EXPECT_EQ(over_a_second(socket, 0, 0, 0), LimitedBy::application);
  EXPECT_EQ(over_a_second(socket, 400'000, 0, 0), LimitedBy::application) << "idle for most of it";
  EXPECT_EQ(over_a_second(socket, kSecondUs, 900'000, 0), LimitedBy::receive_window);
  EXPECT_EQ(over_a_second(socket, kSecondUs, 100'000, 600'000), LimitedBy::send_buffer);
  EXPECT_EQ(over_a_second(socket, kSecondUs, 100'000, 100'000), LimitedBy::congestion);
  socket.info.fields.flags = 1;
  EXPECT_EQ(over_a_second(socket, kSecondUs, 0, 0), LimitedBy::application) << "the kernel says so of the last sample";
}

TEST(LimitedBy, WithoutAWindowWhatStopsItNow) {
  EXPECT_EQ(now(connected()), LimitedBy::application);
  InetSocket waiting = connected();
  waiting.info.fields.snd_mss = 1000;
  waiting.info.fields.snd_cwnd = 10;
  waiting.info.fields.snd_wnd = 65'536;
  waiting.info.fields.unacked = 10;
  waiting.info.fields.notsent_bytes = 50'000;
  waiting.send_queue = 60'000;
  EXPECT_EQ(now(waiting), LimitedBy::congestion);
  waiting.info.fields.snd_wnd = 10'500;
  EXPECT_EQ(now(waiting), LimitedBy::receive_window) << "10,000 in flight: no room for a segment more";
  InetSocket full = connected();
  full.info.fields.unacked = 5;
  full.info.fields.snd_cwnd = 10;
  full.send_queue = 5000;
  full.memory.present = true;
  full.memory.values[3] = 16'384;
  full.memory.values[5] = 12'000;
  EXPECT_EQ(now(full), LimitedBy::send_buffer);
  InetSocket losing = connected();
  losing.info.fields.unacked = 1;
  losing.send_queue = 1000;
  losing.info.fields.ca_state = 4;
  EXPECT_EQ(now(losing), LimitedBy::congestion);
}

TEST(LimitedBy, NothingIsSaidWhereItCannotBeTold) {
  InetSocket listener = connected();
  listener.state = kListen;
  EXPECT_EQ(now(listener), std::nullopt);
  InetSocket left_over = connected();
  left_over.state = kTimeWait;
  EXPECT_EQ(now(left_over), std::nullopt);
  InetSocket old_kernel = connected();
  old_kernel.info.length = 168;
  EXPECT_EQ(now(old_kernel), std::nullopt);
}

}  // namespace
}  // namespace sockdoc
