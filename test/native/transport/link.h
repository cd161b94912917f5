#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include "live_sockets.h"
#include "stamp.h"
#include "transport/stream_receiver.h"
#include "transport/stream_sender.h"

namespace sockdoc {

inline constexpr std::size_t kRingBytes = 16384;

/** A TCP connection over loopback, and one direction's shared memory, as two processes would have it. */
class Link {
 public:
  Link() {
    // Nothing waits for an acknowledgement that the kernel delays.
    const int on = 1;
    ok_ = true;
    for (const int end : {from(), to()}) {
      ok_ = ok_ && ::setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    }
    memory_ =
        ::mmap(nullptr, sizeof(abi::Direction) + kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ok_ = ok_ && memory_ != MAP_FAILED;
  }
  ~Link() { ::munmap(memory_, sizeof(abi::Direction) + kRingBytes); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] abi::Direction& shared() const { return *static_cast<abi::Direction*>(memory_); }
  [[nodiscard]] ByteRing ring() const {
    return ByteRing(shared(), {static_cast<std::byte*>(memory_) + sizeof(abi::Direction), kRingBytes});
  }
  [[nodiscard]] StreamSender sender() const { return {shared(), ring(), KernelStream(from())}; }
  [[nodiscard]] StreamReceiver receiver() const { return {shared(), ring(), KernelStream(to())}; }
  [[nodiscard]] int from() const { return ends_.opener.get(); }
  [[nodiscard]] int to() const { return ends_.acceptor.get(); }
  void close_sender() { ends_.opener.reset(); }
  void close_receiver() { ends_.acceptor.reset(); }

 private:
  LoopbackConnection ends_;
  void* memory_ = nullptr;
  bool ok_ = false;
};

/** Waits for a child of ours. */
inline bool ended_well(pid_t child) {
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

inline void fill(std::span<std::byte> bytes, std::uint64_t at) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = stamp(at + i);
}

inline std::uint64_t wrong(std::span<const std::byte> bytes, std::uint64_t at) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) count += bytes[i] != stamp(at + i);
  return count;
}

struct Received {
  std::uint64_t bytes = 0;
  std::uint64_t too_few = 0;  // at once, when more were asked for
  std::uint64_t wrong = 0;
  int error = 0;
};

/** Takes everything in random pieces until the end of the stream. */
inline Received receive_all(StreamReceiver receiver, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> buffer(2 * kRingBytes);
  Received sum;
  for (;;) {
    const auto into = std::span(buffer).first(1 + random() % (random() % 4 == 0 ? buffer.size() : 100));
    const std::size_t fewest = random() % 2 == 0 ? 1 : into.size();
    const std::size_t at_once = random() % 4 == 0 ? 0 : receiver.receive_at_once(into, fewest);
    sum.too_few += at_once != 0 && at_once < fewest;
    const Moved got = at_once > 0 ? Moved{at_once} : receiver.receive(into);
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

}  // namespace sockdoc
