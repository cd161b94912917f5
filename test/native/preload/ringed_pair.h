#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "monitor/slab.h"
#include "preload/calls.h"
#include "preload/connection/connections.h"
#include "preload/connection/gate.h"
#include "transport/stream_sender.h"

namespace sockdoc::preload {

/** As the monitor's answer does for the socket of `fd`: it gets that place in `memory`. */
inline void share_memory(int fd, const abi::Place& place, int memory) {
  const Handle handle = table.find(fd);
  SocketState* state = table.state(handle);
  ASSERT_NE(state, nullptr);
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  ASSERT_EQ(::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
  state->cookie = cookie;
  ASSERT_TRUE(gate::change(*state, state->gate.load(), Phase::asked));
  abi::Answer answer = {};
  answer.header.sequence = handle.word();
  answer.outcome = abi::Outcome::shared;
  answer.cookie = cookie;
  answer.place = place;
  ASSERT_EQ(connections.answered(answer, memory), Connections::Reply::nothing);
}

/** A connection of which libsd has one end, on a ring; the other end sends as its peer would, without libsd. */
class RingedPair {
 public:
  explicit RingedPair(std::uint32_t ring_bytes = 16384) : ring_bytes_(ring_bytes) {
    connect();
    if (!HasFailure()) share();
  }
  ~RingedPair() {
    if (fd >= 0) sockdoc_hook_close(fd);
    if (peer_ >= 0) ::close(peer_);
    if (memory_ != nullptr) ::munmap(memory_, bytes_);
    if (file_ >= 0) ::close(file_);
  }
  RingedPair(const RingedPair&) = delete;
  RingedPair& operator=(const RingedPair&) = delete;

  /** The peer sends; whether it went by the ring. */
  bool send(std::size_t bytes) {
    StreamSender to(direction(), ring(0), KernelStream(peer_));
    if (to.carrier() == abi::Carrier::kernel && !to.kernel_wanted() && to.drained()) {
      EXPECT_TRUE(to.switch_to(abi::Carrier::ring));
    }
    const std::uint64_t before = direction().sender.ring_tail.load() >> 1;
    const std::string text(bytes, 'x');
    EXPECT_EQ(to.send(std::as_bytes(std::span(text))).bytes, bytes);
    return direction().sender.ring_tail.load() >> 1 == before + bytes;
  }
  /** The program reads what is there, without waiting. */
  [[nodiscard]] std::size_t receive(std::size_t most = 100000) const {
    std::string into(most, ' ');
    const ssize_t got = sockdoc_hook_recv(fd, into.data(), most, MSG_DONTWAIT);
    return got < 0 ? 0 : static_cast<std::size_t>(got);
  }
  [[nodiscard]] bool marked() { return (direction().sender.ring_tail.load() & abi::kKernelWanted) != 0; }

  /** For a peer of another kind: its end, and the memory that both map. */
  [[nodiscard]] int peer() const { return peer_; }
  [[nodiscard]] const std::byte* memory() const { return memory_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] int file() const { return file_; }
  [[nodiscard]] const abi::Place& place() const { return place_; }
  void close_peer() { ::close(std::exchange(peer_, -1)); }
  [[nodiscard]] abi::SlotHead& slot() const {
    return *reinterpret_cast<abi::SlotHead*>(memory_ + abi::slot_offset(0, ring_bytes_));
  }
  /** Of the direction from the peer to libsd (0), or back. */
  [[nodiscard]] ByteRing ring(unsigned direction) const {
    return {slot().directions[direction], {memory_ + abi::ring_offset(0, ring_bytes_, direction), ring_bytes_}};
  }

  int fd = -1;  // libsd's end

 private:
  static bool HasFailure() { return testing::Test::HasFatalFailure(); }

  void connect() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener, generic, length), 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    ASSERT_EQ(::getsockname(listener, generic, &length), 0);
    fd = sockdoc_hook_socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(sockdoc_hook_connect(fd, generic, length), 0);
    peer_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ASSERT_GE(peer_, 0);
    ::close(listener);
  }

  /** As the monitor's answer does. */
  void share() {
    static std::uint64_t slabs = 0x5d000000;
    auto slab = monitor::Slab::make(++slabs, 1, ring_bytes_);
    ASSERT_TRUE(slab.ok());
    place_ = {.connection = slabs,
              .slab = slabs,
              .generation = slabs,
              .slot = 0,
              .end = 1,
              .slots = 1,
              .ring_bytes = ring_bytes_};
    bytes_ = abi::slab_bytes(1, ring_bytes_);
    void* mapped = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, slab.value()->memory(), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    memory_ = static_cast<std::byte*>(mapped);
    file_ = ::dup(slab.value()->memory());
    share_memory(fd, place_, file_);
    if (HasFailure()) return;
    const Handle handle = table.find(fd);
    SocketState* state = table.state(handle);
    StreamSender(direction(), ring(0), KernelStream(peer_)).begin(0);
    connections.consider(handle, *state, fd, state->gate.load());
    ASSERT_NE(connection_of(handle), nullptr);
    slot().ends[0].mapped = place_.generation;
    EXPECT_TRUE(marked());
    EXPECT_EQ(receive(), 0U);
  }

  [[nodiscard]] abi::Direction& direction() const { return slot().directions[0]; }

  std::uint32_t ring_bytes_;
  int peer_ = -1;
  int file_ = -1;
  abi::Place place_ = {};
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace sockdoc::preload
