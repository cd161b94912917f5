#include "probes/sched/sched_programs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

#include "../bpf/btf_builder.h"
#include "base/procfs.h"
#include "probes/bpf/kernel.h"
#include "probes/sched/thread_table.h"

namespace sockdoc {
namespace {

int own_tid() { return static_cast<int>(::syscall(SYS_gettid)); }

void sleep_for_a_moment() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

TEST(SchedOffsets, AnotherSchedulerIsNotSupported) {
  BtfBuilder b;
  b.type("task_struct", BTF_KIND_STRUCT, 0, 8);
  const auto btf = Btf::parse(b.finish());
  ASSERT_TRUE(btf);
  EXPECT_EQ(sched_offsets(*btf).error().code, EOPNOTSUPP);
}

std::optional<SchedOffsets> own_offsets() {
  const auto btf = kernel_btf();
  if (!btf) return std::nullopt;
  const auto offsets = sched_offsets(**btf);
  return offsets ? std::optional(*offsets) : std::nullopt;
}

/** The programs on this kernel; nothing where they may not be attached. */
std::optional<SchedPrograms> attached(const std::optional<SchedOffsets>& offsets = own_offsets()) {
  if (!offsets) return std::nullopt;
  auto programs = SchedPrograms::attach(*offsets);
  if (!programs) {
    EXPECT_EQ(programs.error().code, EPERM) << programs.error().message();
    return std::nullopt;
  }
  return std::move(*programs);
}

std::uint64_t total(const SchedHistogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
}

TEST(SchedPrograms, CountEachWakeUpOfAWatchedThread) {
  auto programs = attached();
  if (!programs) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON, BTF and Linux 5.11";
  programs->watch({own_tid()});
  for (int i = 0; i < 40; ++i) sleep_for_a_moment();
  const auto thread = programs->thread(own_tid());
  ASSERT_TRUE(thread);
  // Being pushed off in between adds to it.
  EXPECT_GE(total(thread->run_delay), 40u);
  EXPECT_GT(thread->run_delay.sum_ns, 0u);
  std::uint64_t host = 0;
  std::uint64_t wakeups = 0;
  for (const SchedCpu& cpu : programs->cpus()) {
    host += total(cpu.run_delay);
    wakeups += total(cpu.wakeup);
    EXPECT_LE(total(cpu.wakeup), total(cpu.run_delay));
    EXPECT_LE(total(cpu.run_delay), cpu.switches);
  }
  EXPECT_GE(host, total(thread->run_delay));
  EXPECT_GE(wakeups, 40u);
  EXPECT_EQ(programs->migrations_to().size(), programs->cpus().size());
}

std::uint64_t own_delay_ns() {
  char buffer[128];
  const auto text = read_small(AT_FDCWD, "/proc/thread-self/schedstat", buffer);
  const auto times = text ? parse_schedstat(*text) : std::nullopt;
  return times ? times->delay_ns : 0;
}

TEST(SchedPrograms, AWaitWhoseBeginningIsHiddenIsCountedWhenItsThreadGoes) {
  auto offsets = own_offsets();
  if (!offsets || !offsets->run_delay) GTEST_SKIP() << "needs BTF and CONFIG_SCHED_INFO";
  offsets->sched_wakeup = offsets->sched_wakeup_new;  // nobody hears of wake-ups
  const std::uint64_t earliest = own_delay_ns();
  auto programs = attached(offsets);
  if (!programs) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON and Linux 5.11";
  programs->watch({own_tid()});
  sleep_for_a_moment();
  const std::uint64_t begin = own_delay_ns();
  for (int i = 0; i < 40; ++i) sleep_for_a_moment();
  const std::uint64_t end = own_delay_ns();
  sleep_for_a_moment();
  const auto thread = programs->thread(own_tid());
  const std::uint64_t latest = own_delay_ns();
  ASSERT_TRUE(thread);
  EXPECT_GE(total(thread->run_delay), 40u);
  // By another clock, a wait that a push began, but of the same waits.
  EXPECT_GE(static_cast<double>(thread->run_delay.sum_ns), 0.9 * static_cast<double>(end - begin));
  EXPECT_LE(static_cast<double>(thread->run_delay.sum_ns), 1.1 * static_cast<double>(latest - earliest));
  std::uint64_t wakeups = 0;
  for (const SchedCpu& cpu : programs->cpus()) wakeups += total(cpu.wakeup);
  EXPECT_GE(wakeups, 40u);
}

TEST(SchedPrograms, AMaximumIsOfItsEpoch) {
  auto programs = attached();
  if (!programs) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON, BTF and Linux 5.11";
  programs->watch({own_tid()});
  sleep_for_a_moment();
  const std::uint64_t first = programs->next_epoch();
  EXPECT_EQ(programs->thread(own_tid())->run_delay.maxima[first & 1].epoch, first);
  sleep_for_a_moment();
  const std::uint64_t second = programs->next_epoch();
  EXPECT_EQ(second, first + 1);
  const auto thread = programs->thread(own_tid());
  EXPECT_EQ(thread->run_delay.maxima[second & 1].epoch, second);
  EXPECT_GT(thread->run_delay.maxima[second & 1].ns, 0u);
}

TEST(SchedPrograms, WatchesWhoIsNamedAndNobodyElse) {
  auto programs = attached();
  if (!programs) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON, BTF and Linux 5.11";
  std::vector<int> many(SchedPrograms::kMaxThreads + 100);
  std::iota(many.begin(), many.end(), 10'000'000);
  programs->watch(many);
  EXPECT_EQ(programs->watched().size(), SchedPrograms::kMaxThreads);
  EXPECT_TRUE(programs->thread(10'000'000));
  programs->watch({own_tid(), own_tid()});
  EXPECT_EQ(programs->watched(), std::vector<int>{own_tid()});
  EXPECT_FALSE(programs->thread(10'000'000));
  programs->watch({});
  sleep_for_a_moment();
  EXPECT_FALSE(programs->thread(own_tid()));
}

TEST(ThreadTable, OwnThreadsHaveTheirRates) {
  ThreadTable table;
  Gaps gaps;
  ThreadsRequest request;
  request.pids = std::vector<int>{::getpid()};
  request.sockets = {::getpid()};
  const auto first = table.read(request, gaps);
  ASSERT_FALSE(first.rows.empty());
  EXPECT_FALSE(first.rows[0].seconds);
  std::atomic<int> began = 0;
  std::jthread sleeper([&began](std::stop_token stop) {
    began = own_tid();
    while (!stop.stop_requested()) sleep_for_a_moment();
  });
  for (int i = 0; i < 20 || began == 0; ++i) sleep_for_a_moment();
  const auto second = table.read(request, gaps);
  const auto row = [&](int tid) {
    return std::find_if(second.rows.begin(), second.rows.end(), [tid](const auto& one) { return one.tid == tid; });
  };
  ASSERT_NE(row(own_tid()), second.rows.end());
  EXPECT_TRUE(row(own_tid())->serves_sockets);
  EXPECT_GE(row(own_tid())->switches->voluntary, 20u);
  EXPECT_GT(*row(own_tid())->seconds, 0.02);
  // A thread that began within the window did so at zero.
  ASSERT_NE(row(began), second.rows.end());
  ASSERT_TRUE(row(began)->switches);
  EXPECT_GT(row(began)->switches->voluntary, 0u);

  request.limit = 1;
  const auto limited = table.read(request, gaps);
  EXPECT_EQ(limited.rows.size(), 1u);
  EXPECT_GE(limited.left_out, 1u);
  request.pids = std::vector<int>{};
  EXPECT_TRUE(table.read(request, gaps).rows.empty());
}

}  // namespace
}  // namespace sockdoc
