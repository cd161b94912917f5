#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "preload/connection/idle_rings.h"
#include "preload/connection/slabs.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "preload/readiness/sets.h"
#include "ringed_pair.h"
#include "transport/stream_receiver.h"

// Memory of rings: what a connection holds after it carried much, and what becomes of one without memory.
namespace sockdoc::preload {
namespace {

constexpr std::uint32_t kRingBytes = 1u << 17;

class PagesTest : public testing::Test {
 protected:
  void SetUp() override {
    sockdoc_resolve_originals();
    ASSERT_TRUE(table.mine() || table.start());
    monitor_link.configure("/nowhere/monitor.sock");
    if (!epoll_sets.started()) epoll_sets.start();
    pair_ = std::make_unique<RingedPair>(kRingBytes);
    ASSERT_FALSE(HasFatalFailure());
  }

  /** The program sends, the peer takes it and says how much of it went by the ring. */
  std::size_t send(std::size_t bytes) {
    StreamReceiver peer(pair_->slot().directions[1], pair_->ring(1), KernelStream(pair_->peer()));
    peer.awake();
    const std::uint64_t before = pair_->slot().directions[1].receiver.ring_head;
    std::vector<std::byte> piece(bytes), got(bytes);
    for (std::size_t i = 0; i < bytes; ++i) piece[i] = static_cast<std::byte>(i * 7 + bytes);
    std::size_t put = 0, taken = 0;
    while (taken < bytes) {
      const ssize_t n = sockdoc_hook_send(pair_->fd, piece.data() + put, bytes - put, MSG_DONTWAIT);
      if (n > 0) put += static_cast<std::size_t>(n);
      const Moved moved = peer.receive(std::span(got).subspan(taken));
      taken += moved.bytes;
      if (moved.bytes == 0 && moved.error != EAGAIN) break;
    }
    EXPECT_EQ(taken, bytes);
    EXPECT_EQ(piece, got);
    return pair_->slot().directions[1].receiver.ring_head - before;
  }

  void carry_both_ways() {
    for (int turn = 0; turn < 8; ++turn) {
      send(kRingBytes / 4);
      pair_->send(kRingBytes / 4);
      while (pair_->receive() > 0) {
      }
    }
  }

  /** Pages of the two rings that there are, in whatever process. */
  [[nodiscard]] std::size_t pages() const {
    std::vector<unsigned char> there(pair_->bytes() / abi::kPage);
    EXPECT_EQ(::mincore(const_cast<std::byte*>(pair_->memory()), pair_->bytes(), there.data()), 0);
    std::size_t count = 0;
    for (std::size_t i = 2; i < there.size(); ++i) count += there[i] & 1u;
    return count;
  }

  /** Where libsd maps the memory. */
  [[nodiscard]] std::byte* theirs() const {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::istringstream text(line);
      std::uintptr_t from = 0, to = 0;
      char dash = 0;
      text >> std::hex >> from >> dash >> to;
      auto* at = reinterpret_cast<std::byte*>(from);
      if (line.find("sockdoc-slab") != std::string::npos && at != pair_->memory() && to - from == pair_->bytes()) {
        return at;
      }
    }
    return nullptr;
  }

  std::unique_ptr<RingedPair> pair_;
};

TEST_F(PagesTest, AreGivenBackOnceNothingHasMovedForAWhile) {
  carry_both_ways();
  EXPECT_GT(pages(), 2 * kRingBytes / abi::kPage - 4);
  ASSERT_TRUE(idle_rings.any());
  pollfd one = {pair_->fd, POLLIN, 0};
  for (int turn = 0; turn < 100 && idle_rings.any(); ++turn) sockdoc_hook_poll(&one, 1, 150);
  EXPECT_FALSE(idle_rings.any());
  EXPECT_EQ(pages(), 0u);
  // And come again, with both rings in use.
  EXPECT_EQ(pair_->receive(), 0u);
  EXPECT_GT(send(50'000), 0u);
  StreamSender peer(pair_->slot().directions[0], pair_->ring(0), KernelStream(pair_->peer()));
  const std::size_t missing = peer.missing_pages().size();
  EXPECT_GE(missing, 1000u);
  peer.pages_came(missing);
  EXPECT_TRUE(pair_->send(1000));
  EXPECT_EQ(pair_->receive(), 1000u);
}

TEST_F(PagesTest, StayWhereBytesWaitToBeRead) {
  carry_both_ways();
  ASSERT_TRUE(pair_->send(1000));
  for (int turn = 0; turn < 30; ++turn) {
    static_cast<void>(idle_rings.sweep(1000));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GT(pages(), 0u);
  EXPECT_EQ(pair_->receive(), 1000u);
}

TEST_F(PagesTest, WithoutMemoryForThemTheKernelCarries) {
  EXPECT_GT(send(5000), 0u);
  std::byte* const mapped = theirs();
  ASSERT_NE(mapped, nullptr);
  // What libsd would touch next is not there: for it the same as no memory, as it learns before it touches it.
  std::byte* const hole = mapped + abi::ring_offset(0, kRingBytes, 1) + kFirstBytes;
  ASSERT_EQ(::munmap(hole, kRingBytes - kFirstBytes), 0);
  EXPECT_LE(send(200'000), kFirstBytes);
  EXPECT_EQ(send(1000), 0u);
  sockdoc_socket_state state = {};
  connection_of(table.find(pair_->fd))->read(state);
  EXPECT_EQ(state.reason, static_cast<std::uint32_t>(abi::Reason::no_memory));
}

}  // namespace
}  // namespace sockdoc::preload
