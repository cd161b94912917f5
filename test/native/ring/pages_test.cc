#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "ring/byte_ring.h"
#include "stamp.h"

// Pages of a ring that are given back by either end at any moment, while the other may be writing or reading.
namespace sockdoc {
namespace {

constexpr std::size_t kCapacity = std::size_t{1} << 17;
constexpr std::size_t kPage = 4096;

/** A ring in a memfd, as slabs are, whose words and counts both processes map. */
class RingInMemory {
 public:
  RingInMemory() : memory_(::memfd_create("ring", MFD_CLOEXEC)) {
    void* mapped = MAP_FAILED;
    if (::ftruncate(memory_, kPage + kCapacity) == 0) {
      mapped = ::mmap(nullptr, kPage + kCapacity, PROT_READ | PROT_WRITE, MAP_SHARED, memory_, 0);
    }
    at_ = mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
  }
  ~RingInMemory() {
    ::munmap(at_, kPage + kCapacity);
    ::close(memory_);
  }
  RingInMemory(const RingInMemory&) = delete;
  RingInMemory& operator=(const RingInMemory&) = delete;

  struct Shared {
    abi::Direction direction;
    std::atomic<std::uint64_t> removed_by_sender, removed_by_receiver;
  };
  [[nodiscard]] bool ok() const { return at_ != nullptr; }
  [[nodiscard]] Shared& shared() const { return *reinterpret_cast<Shared*>(at_); }
  [[nodiscard]] ByteRing ring() const { return {shared().direction, {at_ + kPage, kCapacity}}; }
  /** Of the ring's data, by what the kernel says of the file. */
  [[nodiscard]] std::size_t pages() const {
    struct stat info = {};
    ::fstat(memory_, &info);
    return static_cast<std::size_t>(info.st_blocks) * 512 / kPage - 1;
  }

 private:
  int memory_;
  std::byte* at_ = nullptr;
};

void remove_pages(const ByteRing& ring) {
  ASSERT_EQ(::madvise(ring.memory().data(), ring.memory().size(), MADV_REMOVE), 0);
}

void write_stamped(const RingInMemory& memory, std::uint64_t bytes, unsigned seed) {
  ByteRing ring = memory.ring();
  std::mt19937 random(seed);
  std::vector<std::byte> piece(8'000);
  ring.begin_with_pages(16384);
  for (std::uint64_t at = 0; at < bytes;) {
    const auto some = std::span(piece).first(std::min<std::uint64_t>(1 + random() % piece.size(), bytes - at));
    for (std::size_t i = 0; i < some.size(); ++i) some[i] = stamp(at + i);
    for (std::size_t put = 0; put < some.size();) {
      const std::size_t went = ring.write(some.subspan(put));
      put += went;
      at += went;
      if (went > 0) continue;
      const std::span<std::byte> missing = ring.missing_pages();
      if (!missing.empty()) ring.pages_came(missing.size());
      if (missing.empty()) std::this_thread::yield();
    }
    if (random() % 32 != 0) continue;
    for (int turn = 0; turn < 1000 && ring.writable() < kCapacity; ++turn) std::this_thread::yield();
    if (ring.forget_pages()) {
      remove_pages(ring);
      ++memory.shared().removed_by_sender;
    }
  }
}

std::uint64_t read_stamped(const RingInMemory& memory, std::uint64_t bytes, unsigned seed) {
  ByteRing ring = memory.ring();
  std::mt19937 random(seed);
  std::vector<std::byte> piece(60'000);
  std::uint64_t wrong = 0;
  for (std::uint64_t at = 0; at < bytes;) {
    const auto into = std::span(piece).first(1 + random() % piece.size());
    const std::size_t got = ring.read(into);
    for (std::size_t i = 0; i < got; ++i) wrong += into[i] != stamp(at + i);
    at += got;
    if (random() % 8 != 0) {
      if (got == 0) std::this_thread::yield();
      continue;
    }
    const ByteRing::Held held = ring.hold();
    if (held == ByteRing::Held::no) {
      std::this_thread::yield();
      continue;
    }
    remove_pages(ring);
    ++memory.shared().removed_by_receiver;
    ring.let_go(held);
  }
  return wrong;
}

constexpr std::uint64_t kBytes = 16u << 20;

TEST(Pages, ComeAndGoBetweenThreadsWithoutALostByte) {
  RingInMemory memory;
  ASSERT_TRUE(memory.ok());
  std::thread sender([&] { write_stamped(memory, kBytes, 51); });
  const std::uint64_t wrong = read_stamped(memory, kBytes, 52);
  sender.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(memory.shared().removed_by_sender.load(), 0u);
  EXPECT_GT(memory.shared().removed_by_receiver.load(), 0u);
}

TEST(Pages, ComeAndGoBetweenProcessesWithoutALostByte) {
  RingInMemory memory;
  ASSERT_TRUE(memory.ok());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    write_stamped(memory, kBytes, 61);
    ::_exit(0);
  }
  const std::uint64_t wrong = read_stamped(memory, kBytes, 62);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(memory.shared().removed_by_sender.load(), 0u);
  EXPECT_GT(memory.shared().removed_by_receiver.load(), 0u);
}

TEST(Pages, AreMadeSureOfBeforeBytesAreAnnounced) {
  RingInMemory memory;
  ASSERT_TRUE(memory.ok());
  ByteRing ring = memory.ring();
  ring.begin_with_pages(2 * kPage);
  const std::vector<std::byte> bytes(kCapacity, std::byte{1});
  std::vector<std::byte> got(kCapacity);
  EXPECT_EQ(ring.write(bytes), 2 * kPage);
  EXPECT_EQ(ring.write(bytes), 0u);
  const std::span<std::byte> missing = ring.missing_pages();
  EXPECT_EQ(missing.data(), ring.memory().data() + 2 * kPage);
  ring.pages_came(missing.size());
  EXPECT_TRUE(ring.missing_pages().empty());
  EXPECT_EQ(ring.write(bytes), missing.size());
  EXPECT_FALSE(ring.forget_pages());  // somebody has to read them
  EXPECT_EQ(ring.hold(), ByteRing::Held::no);
  EXPECT_EQ(memory.pages(), 2 + missing.size() / kPage);
  EXPECT_EQ(ring.read(got), 2 * kPage + missing.size());
  ASSERT_TRUE(ring.forget_pages());
  remove_pages(ring);
  EXPECT_EQ(memory.pages(), 0u);
  EXPECT_EQ(ring.write(bytes), 0u);
}

TEST(Pages, WhoWasWritingWhenTheyWentAnnouncesNothing) {
  RingInMemory memory;
  ASSERT_TRUE(memory.ok());
  ByteRing ring = memory.ring();
  std::byte byte{7};
  ASSERT_EQ(ring.write({&byte, 1}), 1u);
  ASSERT_EQ(ring.read({&byte, 1}), 1u);
  std::uint64_t seen = memory.shared().direction.sender.ring_tail;
  ASSERT_EQ(ring.hold(), ByteRing::Held::awake);
  EXPECT_TRUE(ring.kernel_wanted());
  EXPECT_TRUE(ring.missing_pages().empty());  // not before they may be used
  ring.let_go(ByteRing::Held::awake);
  EXPECT_FALSE(memory.shared().direction.sender.ring_tail.compare_exchange_strong(seen, seen + 2));
  EXPECT_EQ(ring.write({&byte, 1}), 0u);
  EXPECT_FALSE(ring.missing_pages().empty());
  ASSERT_TRUE(ring.want_kernel());
  EXPECT_EQ(ring.hold(), ByteRing::Held::resting);
  ring.let_go(ByteRing::Held::resting);
  EXPECT_TRUE(ring.kernel_wanted());
}

}  // namespace
}  // namespace sockdoc
