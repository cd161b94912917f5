#include "probes/cpu/socket_path.h"

#include <gtest/gtest.h>
#include <linux/perf_event.h>

#include <random>

#include "probes/cpu/perf_ring.h"

namespace sockdoc {
namespace {

Symbols kernel() {
  Symbols symbols;
  symbols.add(
      "1000 T do_syscall_64\n"
      "2000 T __x64_sys_recvfrom\n"
      "3000 T __sys_recvfrom\n"
      "4000 t tcp_recvmsg\n"
      "5000 T vfs_read\n"
      "6000 t sock_read_iter\n"
      "7000 t handle_softirqs\n"
      "8000 T __irq_exit_rcu\n"
      "9000 t asm_sysvec_apic_timer_interrupt\n"
      "a000 T __local_bh_enable_ip\n"
      "b000 t do_epoll_wait\n"
      "c000 t read_zero\n"
      "d000 t __sys_sendto.part.0\n"
      "e000 t asm_exc_page_fault\n"
      "f000 T do_epoll_ctl\n"
      "10000 t sock_poll\n"
      "11000 T __x64_sys_accept4\n"
      "12000 t last\n");
  symbols.finish();
  return symbols;
}

constexpr auto kMark = static_cast<std::uint64_t>(PERF_CONTEXT_KERNEL);

Doing doing(std::vector<std::uint64_t> chain) {
  static const SocketPath path(kernel());
  return path.of(chain);
}

TEST(SocketPath, TellsWhatAProcessAskedFor) {
  EXPECT_EQ(doing({}), Doing::user);
  EXPECT_EQ(doing({static_cast<std::uint64_t>(PERF_CONTEXT_USER)}), Doing::user);
  EXPECT_EQ(doing({kMark, 0xc010, 0x5010, 0x1010}), Doing::kernel);
  EXPECT_EQ(doing({kMark, 0x4010, 0x3010, 0x2010, 0x1010}), Doing::socket);
  EXPECT_EQ(doing({kMark, 0x6010, 0x5010, 0x1010}), Doing::socket);
  EXPECT_EQ(doing({kMark, 0xb010, 0x1010}), Doing::socket);
  EXPECT_EQ(doing({kMark, 0xd010, 0x1010}), Doing::socket);
  // A fault while a message is copied belongs to the call.
  EXPECT_EQ(doing({kMark, 0xe010, 0x4010, 0x3010, 0x1010}), Doing::socket);
}

TEST(SocketPath, UpkeepIsWhatIsNotAboutBytes) {
  // Most changes of what an event loop waits for are about the bytes of the next request.
  EXPECT_EQ(doing({kMark, 0x10010, 0xf010, 0x1010}), Doing::socket);
  EXPECT_EQ(doing({kMark, 0x10010, 0xb010, 0x1010}), Doing::socket);
  // accept looks at the socket first: what asked for that decides.
  EXPECT_EQ(doing({kMark, 0x10010, 0x11010, 0x1010}), Doing::upkeep);
  EXPECT_EQ(doing({kMark, 0xc010, 0x11010, 0x1010}), Doing::upkeep);
  EXPECT_EQ(doing({kMark, 0x7010, 0x8010, 0x9010, 0x11010, 0x1010}), Doing::interrupt);
}

TEST(SocketPath, SoftirqWorkCountsForTheCallThatStartsItAndForNobodyAfterAnInterrupt) {
  EXPECT_EQ(doing({kMark, 0x7010, 0xa010, 0x3010, 0x1010}), Doing::socket);
  EXPECT_EQ(doing({kMark, 0x7010, 0x8010, 0x9010, 0xc010, 0x5010, 0x1010}), Doing::interrupt);
  EXPECT_EQ(doing({kMark, 0x7010, 0x8010, 0x9010, 0x3010, 0x1010}), Doing::interrupt);
  EXPECT_EQ(doing({kMark, 0x7010, 0x8010, 0x9010}), Doing::interrupt);
}

TEST(SocketPath, AReturnAddressIsThatOfTheCallBeforeIt) {
  // recvfrom's last instruction is a call: its return address is where the next function begins.
  EXPECT_EQ(doing({kMark, 0xc010, 0x4000, 0x1010}), Doing::socket);
  EXPECT_EQ(doing({kMark, 0x4000, 0x1010}), Doing::kernel);
}

TEST(SocketPath, IsOfNoUseWithoutSymbols) {
  Symbols hidden;
  hidden.add("0000000000000000 T __sys_recvfrom\n0000000000000000 T __irq_exit_rcu\n");
  hidden.finish();
  EXPECT_FALSE(SocketPath(hidden).usable());
  EXPECT_TRUE(SocketPath(kernel()).usable());
}

TEST(CpuSample, ADamagedOneIsRefused) {
  const std::vector<std::uint64_t> good{42 | std::uint64_t{43} << 32, 2, 0x10, 0x20};
  CpuSample sample;
  ASSERT_TRUE(parse_cpu_sample(good, sample));
  EXPECT_EQ(sample.pid, 42u);
  EXPECT_EQ(sample.tid, 43u);
  ASSERT_EQ(sample.chain.size(), 2u);
  EXPECT_EQ(sample.chain[1], 0x20u);
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(parse_cpu_sample({good.data(), length}, sample));
  }
  std::mt19937_64 random(11);
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::uint64_t> damaged = good;
    damaged[random() % damaged.size()] = random();
    if (parse_cpu_sample(damaged, sample)) {
      EXPECT_LE(sample.chain.size(), 2u);
      (void)SocketPath(kernel()).of(sample.chain);
    }
  }
}

}  // namespace
}  // namespace sockdoc
