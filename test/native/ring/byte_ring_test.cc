#include "ring/byte_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "stamp.h"

namespace sockdoc {
namespace {

/** A ring in ordinary memory; bytes say at which place of the stream they stand. */
struct Fixture {
  explicit Fixture(std::size_t capacity)
      : shared(std::make_unique<abi::Direction>()), data(capacity), ring(*shared, data) {}

  std::unique_ptr<abi::Direction> shared;
  std::vector<std::byte> data;
  ByteRing ring;
};

std::vector<std::byte> stamped(std::uint64_t from, std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = stamp(from + i);
  return bytes;
}

TEST(ByteRing, TakesUntilItIsFullAndGivesUntilItIsEmpty) {
  Fixture f(64);
  EXPECT_EQ(f.ring.writable(), 64u);
  EXPECT_EQ(f.ring.write(stamped(0, 40)), 40u);
  EXPECT_EQ(f.ring.write(stamped(40, 40)), 24u);
  EXPECT_EQ(f.ring.write(stamped(64, 1)), 0u);
  EXPECT_EQ(f.ring.readable(), 64u);
  std::vector<std::byte> got(100);
  EXPECT_EQ(f.ring.read(got), 64u);
  got.resize(64);
  EXPECT_EQ(got, stamped(0, 64));
  EXPECT_EQ(f.ring.read(got), 0u);
}

TEST(ByteRing, TakesAllAtOnceOrNothing) {
  Fixture f(64);
  std::vector<std::byte> got(64);
  for (std::uint64_t at = 0; at < 10'000;) {
    const std::size_t count = 1 + at % 33;
    ASSERT_TRUE(f.ring.write_whole(stamped(at, count)) || f.ring.write(stamped(at, count)) == count);
    ASSERT_TRUE(f.ring.take(std::span(got).first(count)));
    ASSERT_TRUE(std::ranges::equal(std::span(got).first(count), stamped(at, count)));
    at += count;
  }
  ASSERT_EQ(f.ring.writable(), 64u);
  EXPECT_FALSE(f.ring.write_whole(stamped(0, 65)));
  EXPECT_TRUE(f.ring.write_whole(stamped(0, 60)));
  EXPECT_FALSE(f.ring.write_whole(stamped(60, 5)));
  EXPECT_EQ(f.ring.readable(), 60u);
  ASSERT_EQ(f.ring.read(got), 60u);
  ASSERT_TRUE(f.ring.want_kernel());
  ASSERT_EQ(f.ring.writable(), 64u);
  EXPECT_FALSE(f.ring.write_whole(stamped(60, 1)));
  EXPECT_EQ(f.ring.readable(), 0u);
}

TEST(ByteRing, TakesAllPartsOrNone) {
  Fixture f(64);
  std::vector<std::byte> got(64);
  for (std::uint64_t at = 0; at < 10'000;) {
    std::vector<std::byte> bytes = stamped(at, 3 + at % 31);
    const std::size_t first = at % 3;
    const iovec parts[] = {{bytes.data(), first}, {bytes.data(), 0}, {bytes.data() + first, bytes.size() - first}};
    ASSERT_TRUE(f.ring.write_whole(parts, bytes.size()) || f.ring.write(bytes) == bytes.size());
    ASSERT_EQ(f.ring.readable(), bytes.size());
    ASSERT_TRUE(f.ring.take(std::span(got).first(bytes.size())));
    ASSERT_TRUE(std::ranges::equal(std::span(got).first(bytes.size()), bytes));
    at += bytes.size();
  }
  std::vector<std::byte> bytes = stamped(0, 65);
  const iovec parts[] = {{bytes.data(), 30}, {bytes.data() + 30, 35}};
  EXPECT_FALSE(f.ring.write_whole(parts, 65));
  EXPECT_EQ(f.ring.readable(), 0u);
  ASSERT_TRUE(f.ring.want_kernel());
  EXPECT_FALSE(f.ring.write_whole(std::span(parts, 1), 30));
  EXPECT_EQ(f.ring.readable(), 0u);
}

TEST(ByteRing, KeepsOrderAcrossItsEdge) {
  Fixture f(64);
  std::mt19937 random(7);
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  while (read < 100'000) {
    const std::size_t put = f.ring.write(stamped(written, random() % 90));
    written += put;
    std::vector<std::byte> got(random() % 90);
    const std::size_t count = f.ring.read(got);
    got.resize(count);
    ASSERT_EQ(got, stamped(read, count));
    read += count;
    ASSERT_LE(written - read, 64u);
  }
}

TEST(ByteRing, PeeksWithoutTaking) {
  Fixture f(64);
  ASSERT_EQ(f.ring.write(stamped(0, 50)), 50u);
  std::vector<std::byte> got(20);
  EXPECT_EQ(f.ring.peek(got, 40), 10u);
  got.resize(10);
  EXPECT_EQ(got, stamped(40, 10));
  EXPECT_EQ(f.ring.peek(got, 50), 0u);
  EXPECT_EQ(f.ring.readable(), 50u);
}

TEST(ByteRing, BetweenTwoThreadsNothingIsLostOrDoubled) {
  constexpr std::uint64_t kBytes = 4u << 20;
  Fixture f(1024);
  std::thread sender([&] {
    std::mt19937 random(1);
    for (std::uint64_t at = 0; at < kBytes;) {
      const std::size_t count = std::min<std::uint64_t>(1 + random() % 1500, kBytes - at);
      const std::size_t put = f.ring.write(stamped(at, count));
      if (put == 0) std::this_thread::yield();
      at += put;
    }
  });
  std::mt19937 random(2);
  std::uint64_t wrong = 0;
  for (std::uint64_t at = 0; at < kBytes;) {
    std::vector<std::byte> got(1 + random() % 1500);
    const std::size_t count = f.ring.read(got);
    if (count == 0) std::this_thread::yield();
    for (std::size_t i = 0; i < count; ++i) wrong += got[i] != stamp(at + i);
    at += count;
  }
  sender.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(f.ring.readable(), 0u);
}

TEST(ByteRing, TakesNothingWhileTheKernelIsWanted) {
  Fixture f(64);
  ASSERT_EQ(f.ring.write(stamped(0, 10)), 10u);
  EXPECT_FALSE(f.ring.want_kernel());  // there is something to read
  EXPECT_FALSE(f.ring.kernel_wanted());
  std::vector<std::byte> got(10);
  ASSERT_EQ(f.ring.read(got), 10u);
  EXPECT_TRUE(f.ring.want_kernel());
  EXPECT_TRUE(f.ring.want_kernel());
  EXPECT_EQ(f.ring.write(stamped(10, 1)), 0u);
  EXPECT_EQ(f.ring.readable(), 0u);
  f.ring.want_ring();
  EXPECT_EQ(f.ring.write(stamped(10, 5)), 5u);
  f.ring.forbid();
  EXPECT_EQ(f.ring.write(stamped(15, 5)), 0u);
  EXPECT_EQ(f.ring.read(got), 5u);
}

TEST(ByteRing, NothingIsAnnouncedAfterTheKernelIsWanted) {
  Fixture f(64);
  constexpr int kRounds = 3'000;
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> over{false};
  std::thread sender([&] {
    while (!over) {
      const std::size_t put = f.ring.write(stamped(written, 1));
      if (put == 0) std::this_thread::yield();
      written += put;
    }
  });
  std::uint64_t read = 0;
  std::uint64_t wrong = 0;
  for (int round = 0; round < kRounds; ++round) {
    if (f.ring.want_kernel()) {
      const std::size_t there = f.ring.readable();
      std::this_thread::yield();
      wrong += there != 0 || f.ring.readable() != 0;
      f.ring.want_ring();
    }
    std::vector<std::byte> got(64);
    const std::size_t count = f.ring.read(got);
    for (std::size_t i = 0; i < count; ++i) wrong += got[i] != stamp(read + i);
    read += count;
  }
  over = true;
  sender.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(read + f.ring.readable(), written.load());
}

TEST(ByteRing, IndexesThatCannotBeAreAViolation) {
  Fixture f(64);
  std::vector<std::byte> got(10);
  f.shared->sender.ring_tail = 65 << 1;
  EXPECT_EQ(f.ring.read(got), kRingViolated);
  EXPECT_EQ(f.ring.readable(), kRingViolated);
  f.shared->sender.ring_tail = 0;
  f.shared->receiver.ring_head = 1;
  EXPECT_EQ(f.ring.write(stamped(0, 65)), kRingViolated);  // more than there seems to be room for: it looks
  EXPECT_EQ(f.ring.writable(), kRingViolated);
}

TEST(ByteRing, WhateverTheIndexesAreNothingOutsideIsTouched) {
  Fixture f(64);  // on the heap: the address sanitizer knows its edges
  std::mt19937_64 random(3);
  const auto index = [&]() -> std::uint64_t {
    switch (random() % 4) {
      case 0:
        return random();
      case 1:
        return random() % 200;
      case 2:
        return ~std::uint64_t{0} - random() % 200;
      default:
        return (std::uint64_t{1} << 63) + random() % 200;
    }
  };
  std::vector<std::byte> buffer(100);
  for (int i = 0; i < 100'000; ++i) {
    f.shared->sender.ring_tail = index();
    f.shared->sender.ring_head_seen = index();
    f.shared->receiver.ring_head = index();
    f.shared->receiver.clear_until = index();
    f.shared->sender.pages_from = index();
    f.shared->sender.pages_until = random() % 2 == 0 ? abi::tail_bytes(f.shared->sender.ring_tail) : index();
    const std::span<std::byte> missing = f.ring.missing_pages();
    ASSERT_TRUE(missing.empty() || (missing.data() >= f.data.data() && &missing.back() <= &f.data.back()));
    const std::size_t put = f.ring.write(std::span(buffer).first(random() % 100));
    ASSERT_TRUE(put == kRingViolated || put <= 64);
    const std::size_t got = f.ring.read(std::span(buffer).first(random() % 100));
    ASSERT_TRUE(got == kRingViolated || got <= 64);
    const std::size_t seen = f.ring.peek(std::span(buffer).first(random() % 100), random() % 70);
    ASSERT_TRUE(seen == kRingViolated || seen <= 64);
  }
}

}  // namespace
}  // namespace sockdoc
