#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <random>
#include <thread>
#include <vector>

#include "monitor/slab.h"
#include "preload/connection/spinning.h"
#include "readiness.h"

namespace sockdoc::preload {

inline constexpr unsigned kMany = 6;

/** Several connections of which this process has both ends, in one slab; the second ends are in an epoll set. */
class Watched : public Readiness {
 protected:
  struct Pair {
    int out = -1;
    int in = -1;
  };

  void SetUp() override {
    longest_watch_ns = std::int64_t{10} * kLong * 1'000'000;  // so that what is not woken is seen
    static std::uint64_t slabs = 0x77000000;
    slab_ = ++slabs;
    auto slab = monitor::Slab::make(slab_, kMany, kRingBytes);
    ASSERT_TRUE(slab.ok());
    for (unsigned i = 0; i < kMany; i++) {
      connect(pairs_[i]);
      for (std::uint32_t end = 0; end < 2; end++)
        share(end == 0 ? pairs_[i].out : pairs_[i].in, {slab_, i, end}, slab.value()->memory());
      for (int turn = 0; turn < 2; turn++) {
        char byte = 0;
        ASSERT_EQ(sockdoc_hook_send(pairs_[i].out, "w", 1, 0), 1);
        ASSERT_EQ(sockdoc_hook_recv(pairs_[i].in, &byte, 1, 0), 1);
        ASSERT_EQ(sockdoc_hook_send(pairs_[i].in, "w", 1, 0), 1);
        ASSERT_EQ(sockdoc_hook_recv(pairs_[i].out, &byte, 1, 0), 1);
      }
      ASSERT_EQ(set_.add(pairs_[i].in, EPOLLIN, i), 0);
    }
    // In the first sleep it is not known that there are several.
    move_bytes();
    const int place = set().threads.enter();
    EXPECT_FALSE(set().mark_all(set_.fd, place, true));
    wake_up(place);
  }
  void TearDown() override {
    longest_watch_ns = 100'000'000;
    for (const Pair& pair : pairs_) {
      sockdoc_hook_close(pair.out);
      sockdoc_hook_close(pair.in);
    }
  }

  [[nodiscard]] EpollSet& set() const { return *epoll_sets.find(set_.fd); }
  /** As a thread that goes to sleep; each has received something since the last time. */
  int fall_asleep() {
    move_bytes();
    const int place = set().threads.enter();
    EXPECT_TRUE(set().mark_all(set_.fd, place, true));
    return place;
  }
  void move_bytes() const {
    for (const Pair& pair : pairs_) {
      char byte = 0;
      EXPECT_EQ(sockdoc_hook_send(pair.out, "x", 1, 0), 1);
      EXPECT_EQ(sockdoc_hook_recv(pair.in, &byte, 1, 0), 1);
    }
  }
  void wake_up(int place) {
    set().end_sleep(true);
    set().threads.leave(place);
  }
  /** A byte from the peer; whether it went by the ring. */
  [[nodiscard]] bool send(unsigned pair) const {
    const auto ringed = [&] { return connection_of(table.find(pairs_[pair].out))->by_ring().first; };
    const std::uint64_t before = ringed();
    EXPECT_EQ(sockdoc_hook_send(pairs_[pair].out, "y", 1, 0), 1);
    return ringed() != before;
  }
  [[nodiscard]] bool receive(unsigned pair) const {
    char byte = 0;
    return sockdoc_hook_recv(pairs_[pair].in, &byte, 1, MSG_DONTWAIT) == 1;
  }
  /**
   * A thread that sleeps for each wait gets so many bytes, which say their place; who is not woken waits for longer
   * than the test. How many of them went by the rings.
   */
  std::uint64_t exchange(int messages) {
    set_spinning_us(0);
    std::thread reader([&] { answer(messages); });
    std::mt19937 random(3);
    std::array<unsigned char, kMany> next = {};
    for (int sent = 0; sent < messages && !HasFailure();) {
      const unsigned which = static_cast<unsigned>(random() % kMany);
      const auto bytes = std::min<int>(messages - sent, random() % 4 == 0 ? 1 + static_cast<int>(random() % 200) : 1);
      std::vector<unsigned char> message(static_cast<std::size_t>(bytes));
      for (unsigned char& byte : message) byte = next[which]++;
      EXPECT_EQ(sockdoc_hook_send(pairs_[which].out, message.data(), message.size(), 0), bytes);
      sent += bytes;
      for (auto turns = static_cast<unsigned>(random() % (random() % 16 == 0 ? 20'000 : 50)); turns > 0; turns--) {
        __builtin_ia32_pause();
      }
    }
    reader.join();
    set_spinning_us(kDefaultSpinUs);
    std::uint64_t ringed = 0;
    for (const Pair& pair : pairs_) ringed += connection_of(table.find(pair.out))->by_ring().first;
    return ringed;
  }
  [[nodiscard]] bool watched(unsigned pair) const { return connection_of(table.find(pairs_[pair].in))->is_watched(); }

  std::array<Pair, kMany> pairs_;
  Set set_;
  std::uint64_t slab_ = 0;

 private:
  static constexpr std::uint32_t kRingBytes = abi::kMinRingBytes;

  void answer(int messages) {
    std::mt19937 random(5);
    std::array<epoll_event, kMany> events;
    std::array<unsigned char, kMany> next = {};
    for (int seen = 0; seen < messages;) {
      const int count = sockdoc_hook_epoll_wait(set_.fd, events.data(), 1 + static_cast<int>(random() % kMany), kLong);
      ASSERT_GT(count, 0) << "nobody was woken";
      for (int i = 0; i < count; i++) {
        const auto which = static_cast<unsigned>(events[static_cast<std::size_t>(i)].data.u64);
        std::array<unsigned char, 64> bytes;
        const ssize_t got =
            sockdoc_hook_recv(pairs_[which].in, bytes.data(), 1 + random() % bytes.size(), MSG_DONTWAIT);
        ASSERT_GT(got, 0);
        for (ssize_t at = 0; at < got; at++) ASSERT_EQ(bytes[static_cast<std::size_t>(at)], next[which]++);
        seen += static_cast<int>(got);
      }
      if (random() % 8 == 0) {
        const unsigned which = static_cast<unsigned>(random() % kMany);
        ASSERT_EQ(set_.change(pairs_[which].in, EPOLLIN | (random() % 2 == 0 ? EPOLLRDHUP : 0U), which), 0);
      }
      for (auto turns = static_cast<unsigned>(random() % 4 == 0 ? random() % 2000 : 0); turns > 0; turns--)
        __builtin_ia32_pause();
    }
  }

  static void connect(Pair& pair) {
    const int listener = sockdoc_hook_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener, generic, length), 0);
    ASSERT_EQ(sockdoc_hook_listen(listener, 1), 0);
    ASSERT_EQ(::getsockname(listener, generic, &length), 0);
    pair.out = sockdoc_hook_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(sockdoc_hook_connect(pair.out, generic, length), 0);
    pair.in = sockdoc_hook_accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ASSERT_GE(pair.in, 0);
    sockdoc_hook_close(listener);
  }
  /** `which`: the slab, the slot in it, and the end. */
  static void share(int fd, std::array<std::uint64_t, 3> which, int memory) {
    const abi::Place place = {.connection = which[0] * kMany + which[1],
                              .slab = which[0],
                              .generation = which[0],
                              .slot = static_cast<std::uint32_t>(which[1]),
                              .end = static_cast<std::uint32_t>(which[2]),
                              .slots = kMany,
                              .ring_bytes = kRingBytes};
    share_memory(fd, place, memory);
  }
};

}  // namespace sockdoc::preload
