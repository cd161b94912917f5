#include "preload/connection/unread.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "preload/connection/patience.h"
#include "preload/monitor/link.h"
#include "preload/originals.h"
#include "ringed_pair.h"
#include "shared_unread.h"

namespace sockdoc::preload {
namespace {

constexpr std::size_t kBytes = 10'000;
constexpr std::uint64_t kCookie = 77;

std::uint8_t at(std::size_t place) { return static_cast<std::uint8_t>(place * 7 + place / 256); }

class Unread : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(bytes_.make(kCookie, kBytes));
    for (std::size_t i = 0; i < kBytes; i++) bytes_.room()[i] = std::byte{at(i)};
    bytes_.made(kBytes);
  }
  void TearDown() override { bytes_.drop(); }

  /** Takes in pieces until nothing is left; how often each value came. */
  static std::vector<std::size_t> take_all(const UnreadBytes& from, std::size_t piece) {
    std::vector<std::size_t> values(256);
    std::vector<std::uint8_t> into(piece);
    const std::array<iovec, 2> parts = {iovec{into.data(), piece / 3}, {into.data() + piece / 3, piece - piece / 3}};
    for (std::size_t got = 0; (got = from.take(parts, false, true)) > 0;) {
      for (std::size_t i = 0; i < got; i++) values[into[i]]++;
    }
    return values;
  }
  static std::vector<std::size_t> expected() {
    std::vector<std::size_t> values(256);
    for (std::size_t i = 0; i < kBytes; i++) values[at(i)]++;
    return values;
  }

  UnreadBytes bytes_;
};

TEST_F(Unread, ComesInOrderAndStaysWhereItIsOnlySeen) {
  std::string into(6, ' ');
  const iovec part = {into.data(), into.size()};
  EXPECT_EQ(bytes_.take({&part, 1}, true, true), into.size());
  EXPECT_EQ(static_cast<std::uint8_t>(into[5]), at(5));
  EXPECT_EQ(bytes_.left(), kBytes);
  EXPECT_EQ(bytes_.take({&part, 1}, false, false), into.size()) << "thrown away";
  EXPECT_EQ(bytes_.take({&part, 1}, false, true), into.size());
  EXPECT_EQ(static_cast<std::uint8_t>(into[0]), at(6));
  EXPECT_EQ(bytes_.left(), kBytes - 12);
}

TEST_F(Unread, IsTakenOnceByThreadsThatRace) {
  std::array<std::vector<std::size_t>, 4> got;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < got.size(); i++) {
    threads.emplace_back([this, &got, i] { got[i] = take_all(bytes_, 5 + i); });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t value = 0; value < 256; value++) {
    const auto add = [value](std::size_t sum, const auto& one) { return sum + one[value]; };
    EXPECT_EQ(std::accumulate(got.begin(), got.end(), std::size_t{0}, add), expected()[value]);
  }
}

TEST_F(Unread, IsSharedWithAChildAndWithAProgramThatHasItsDescriptor) {
  const pid_t child = fork();
  if (child == 0) {
    UnreadBytes by_descriptor;
    std::byte into[100];
    const iovec part = {into, sizeof into};
    const bool good = by_descriptor.open(bytes_.fd()) && by_descriptor.cookie() == kCookie &&
                      bytes_.take({&part, 1}, false, true) == sizeof into && into[99] == std::byte{at(99)} &&
                      by_descriptor.take({&part, 1}, false, true) == sizeof into && into[0] == std::byte{at(100)};
    _exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(bytes_.left(), kBytes - 200);
}

TEST_F(Unread, NobodyTakesWhatOneOfThemGivesBack) {
  std::array<std::byte, 100> into{};
  const iovec part = {into.data(), into.size()};
  ASSERT_EQ(bytes_.take({&part, 1}, false, true), into.size());
  ASSERT_TRUE(bytes_.freeze());
  EXPECT_FALSE(bytes_.freeze()) << "another has it";
  const pid_t child = fork();
  if (child == 0) _exit(bytes_.take({&part, 1}, false, true) == 0 && bytes_.frozen() && bytes_.any() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(bytes_.take({&part, 1}, true, true), 0U) << "not even a look";
  std::vector<std::byte> all(kBytes);
  EXPECT_EQ(bytes_.copy(all), kBytes - 100);
  EXPECT_EQ(all[0], std::byte{at(100)});
  bytes_.thaw(false);
  EXPECT_EQ(bytes_.take({&part, 1}, false, true), into.size());
  EXPECT_EQ(into[0], std::byte{at(100)});
  ASSERT_TRUE(bytes_.freeze());
  bytes_.thaw(true);
  EXPECT_FALSE(bytes_.any());
  EXPECT_FALSE(bytes_.freeze()) << "there is nothing";
}

TEST_F(Unread, IsTakenOnceWhereReadersRaceWithWhoGivesItBack) {
  std::array<std::vector<std::size_t>, 3> got;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < got.size(); i++) {
    threads.emplace_back([this, &got, i] {
      got[i].resize(256);
      while (bytes_.any()) {
        const std::vector<std::size_t> some = take_all(bytes_, 5 + i);
        for (std::size_t value = 0; value < 256; value++) got[i][value] += some[value];
        std::this_thread::yield();
      }
    });
  }
  std::vector<std::byte> all(kBytes);
  std::size_t returned = 0;
  for (int i = 0; bytes_.any() && returned == 0; i++) {
    if (!bytes_.freeze()) continue;
    const std::size_t there = bytes_.copy(all);
    std::this_thread::yield();
    if (i == 20) returned = there;
    bytes_.thaw(returned != 0);
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::size_t> sums(256);
  for (std::size_t i = 0; i < returned; i++) sums[std::to_integer<std::uint8_t>(all[i])]++;
  for (const auto& one : got) {
    for (std::size_t value = 0; value < 256; value++) sums[value] += one[value];
  }
  EXPECT_EQ(sums, expected());
}

TEST_F(Unread, AnErrorComesOnceBehindTheBytes) {
  bytes_.tell(ECONNRESET);
  EXPECT_EQ(take_all(bytes_, 1000), expected());
  EXPECT_EQ(bytes_.left(), 0U);
  EXPECT_TRUE(bytes_.any());
  EXPECT_EQ(bytes_.error(), ECONNRESET);
  EXPECT_FALSE(bytes_.any());
  EXPECT_EQ(bytes_.error(), 0);
}

TEST_F(Unread, WhoeverSharesItCanNeitherShortenItNorMakeItLonger) {
  EXPECT_NE(ftruncate(bytes_.fd(), 0), 0);
  void* const theirs = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bytes_.fd(), 0);
  ASSERT_NE(theirs, MAP_FAILED);
  auto* words = static_cast<std::uint64_t*>(theirs);
  words[2] = ~std::uint64_t{0};  // the size
  EXPECT_EQ(bytes_.left(), kBytes);
  UnreadBytes other;
  EXPECT_FALSE(other.open(bytes_.fd()));
  words[3] = ~std::uint64_t{0} - 5;  // what was taken
  EXPECT_EQ(bytes_.left(), 0U);
  EXPECT_EQ(take_all(bytes_, 100), std::vector<std::size_t>(256));
  munmap(theirs, 4096);
}

TEST_F(Unread, OtherDescriptorsAreNotOurs) {
  EXPECT_TRUE(UnreadBytes::is_ours(bytes_.fd()));
  const int plain = memfd_create("sockdoc-unread", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  EXPECT_FALSE(UnreadBytes::is_ours(plain));
  ::close(plain);
  const int other = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(other, 8192), 0);
  ASSERT_EQ(fcntl(other, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW), 0);
  EXPECT_FALSE(UnreadBytes::is_ours(other));
  ::close(other);
  EXPECT_FALSE(UnreadBytes::is_ours(-1));
}

class UnreadAtFork : public testing::Test {
 protected:
  void SetUp() override {
    sockdoc_resolve_originals();
    ASSERT_TRUE(table.mine() || table.start());
    monitor_link.configure("/nowhere/monitor.sock");
  }
};

TEST_F(UnreadAtFork, ParentAndChildReadWhatTheRingHeldAndThenTheKernels) {
  RingedPair pair;
  ASSERT_TRUE(pair.send(1000));
  const pid_t child = sockdoc_hook_fork();
  if (child == 0) _exit(pair.receive(600) == 600 && pair.receive(1) == 1 ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(pair.send(50)) << "by the kernel from now on";
  EXPECT_EQ(pair.receive(), 399U);
  EXPECT_EQ(pair.receive(), 50U);
  EXPECT_EQ(pair.receive(), 0U);
}

/** A pair with 1000 bytes set aside and 50 behind them, of which another has frozen the first. */
class FrozenPair {
 public:
  FrozenPair() {
    EXPECT_TRUE(pair_.send(1000));
    const pid_t child = sockdoc_hook_fork();
    if (child == 0) _exit(0);
    EXPECT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_FALSE(pair_.send(50));
    theirs_.emplace();
    EXPECT_TRUE(theirs().freeze());
  }

  /** Whatever was made of it meanwhile. */
  void freeze_again() const {
    reinterpret_cast<abi::UnreadHead*>(theirs().room().data() - abi::kPage)->taken = abi::kFrozen;
  }
  [[nodiscard]] const UnreadBytes& theirs() const { return theirs_->bytes; }
  /** To the kernel, within a moment. */
  [[nodiscard]] bool returns() const {
    return connection_of(table.find(pair_.fd))->return_to_kernel(pair_.fd, coarse_ms() + 50);
  }
  [[nodiscard]] std::size_t receive() const { return pair_.receive(); }
  [[nodiscard]] ssize_t receive_in_vain() const {
    std::byte into[2000];
    return sockdoc_hook_recv(pair_.fd, into, sizeof into, MSG_DONTWAIT);
  }

 private:
  RingedPair pair_;
  std::optional<TheirUnread> theirs_;
};

class FrozenUnread : public UnreadAtFork {
 protected:
  void SetUp() override {
    UnreadAtFork::SetUp();
    ::alarm(120);  // a hang ends the test
    thaw_patience.most = 3'600'000;
  }
  void TearDown() override {
    ::alarm(0);
    thaw_patience.most = Patience().most;
    thaw_patience.for_so_long = Patience().for_so_long;
    thaw_patience.little_until = 0;
  }
};

/** There is no monitor: what was taken to be returned stays with who took it. */
TEST_F(FrozenUnread, WhoSharesBytesThatWereTakenInVainIsToldThatTheyAreMissing) {
  const FrozenPair pair;
  pair.theirs().thaw(false);
  EXPECT_FALSE(pair.returns());
  EXPECT_EQ(pair.theirs().left(), 0U);
  EXPECT_EQ(pair.theirs().error(), ECONNRESET);
  EXPECT_EQ(pair.receive(), 1050U);
}

TEST_F(FrozenUnread, AReaderWaitsForWhoReturnsThemAndGetsTheKernelsThen) {
  const FrozenPair pair;
  const OnceItWaits other([&] { pair.theirs().thaw(true); });
  EXPECT_EQ(pair.receive(), 50U);
}

TEST_F(FrozenUnread, OrGetsThemAfterAllWhereTheyWereNotReturned) {
  const FrozenPair pair;
  {
    const OnceItWaits other([&] { pair.theirs().thaw(false); });
    EXPECT_EQ(pair.receive(), 1000U);
  }
  EXPECT_EQ(pair.receive(), 50U);
}

TEST_F(FrozenUnread, NobodyWaitsForEverForWhoReturnsThem) {
  const FrozenPair pair;
  thaw_patience.most = 1;
  const std::uint64_t before = coarse_ms();
  EXPECT_EQ(pair.receive_in_vain(), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_LE(pair.receive_in_vain(), 0) << "nothing behind a hole";
  thaw_patience.most = 3'600'000;
  EXPECT_EQ(thaw_patience.ms(before + 1), thaw_patience.little) << "once in vain, not long any more";
}

TEST_F(FrozenUnread, NorForWhoFreezesThemAgainAndAgain) {
  const FrozenPair pair;
  thaw_patience.for_so_long = 3'600'000;
  thaw_patience.in_vain(coarse_ms());
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) pair.freeze_again();
  });
  EXPECT_EQ(pair.receive_in_vain(), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_LE(pair.receive_in_vain(), 0);
  done = true;
  other.join();
}

TEST(ThawPatience, ComesBack) {
  Patience patience;
  constexpr std::uint64_t kNow = 1'000'000;
  EXPECT_EQ(patience.ms(kNow), patience.most);
  patience.in_vain(kNow);
  EXPECT_EQ(patience.ms(kNow), patience.little);
  EXPECT_EQ(patience.ms(kNow + patience.for_so_long - 1), patience.little);
  EXPECT_EQ(patience.ms(kNow + patience.for_so_long), patience.most);
  EXPECT_LT(patience.little, patience.most);
}

}  // namespace
}  // namespace sockdoc::preload
