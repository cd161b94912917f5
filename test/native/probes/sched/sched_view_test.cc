#include "probes/sched/sched_view.h"

#include <gtest/gtest.h>

namespace sockdoc {
namespace {

TEST(HostTimes, ReadsCpusAndCounts) {
  const auto times = parse_host_times(
      "cpu  10 20 30 40 50 60 70 80 90 100\n"
      "cpu0 1 2 3 4 5 6 7 8 9 10\n"
      "cpu3 10 0 0 5\n"
      "intr 1 2 3\n"
      "ctxt 12345\n"
      "procs_running 7\n");
  ASSERT_EQ(times.cpus.size(), 2u);
  EXPECT_EQ(times.cpus[0].busy(), 1u + 2 + 3 + 6 + 7);
  EXPECT_EQ(times.cpus[0].total(), 36u);
  EXPECT_EQ(times.cpus[1].cpu, 3);
  EXPECT_EQ(times.cpus[1].total(), 15u);
  EXPECT_EQ(times.switches, 12345u);
  EXPECT_EQ(times.runnable, 7u);
  EXPECT_TRUE(parse_host_times("").cpus.empty());
  EXPECT_FALSE(parse_host_times("ctxt \n").switches);
}

TEST(SchedWindow, IsWhatCameBetweenTwoReadings) {
  SchedHistogram before;
  before.counts[3] = 5;
  before.sum_ns = 1000;
  SchedHistogram after = before;
  after.counts[3] = 7;
  after.counts[31] = 1;
  after.sum_ns = 5000;
  after.maxima[0] = {6, 900};
  after.maxima[1] = {7, 800};
  auto window = SchedWindow::between(before, after, 7);
  EXPECT_EQ(window.counts[3], 2u);
  EXPECT_EQ(window.counts[31], 1u);
  EXPECT_EQ(window.sum_ns, 4000u);
  EXPECT_EQ(window.max_ns, 800u);
  // A maximum of another epoch is of another window.
  EXPECT_EQ(SchedWindow::between(before, after, 9).max_ns, 0u);
  window.add(window);
  EXPECT_EQ(window.counts[3], 4u);
  EXPECT_EQ(window.max_ns, 800u);
}

std::string written(const SchedView& view) {
  Json json;
  write_view(json, view);
  return json.take();
}

TEST(SchedView, WhatIsNotKnownIsAbsent) {
  SchedView view;
  view.cpus.push_back({});
  view.threads.push_back({});
  const std::string text = written(view);
  EXPECT_EQ(text.find("Share"), std::string::npos) << text;
  EXPECT_EQ(text.find("PerS"), std::string::npos) << text;
  EXPECT_EQ(text.find("counts"), std::string::npos) << text;
  EXPECT_NE(text.find("\"source\":\"procfs\""), std::string::npos);
}

TEST(SchedView, SumsTheCpusAndTheirQueue) {
  SchedView view;
  view.bpf = true;
  view.seconds = 2;
  for (int cpu = 0; cpu < 2; ++cpu) {
    SchedCpuView row;
    row.ticks.cpu = cpu;
    row.ticks.user = 100;
    row.ticks.idle = 100;
    row.before = CpuTicks{};
    row.run_delay.emplace();
    row.run_delay->counts[1] = 3;
    row.run_delay->sum_ns = 3'000'000'000;
    row.run_delay->max_ns = static_cast<std::uint64_t>(cpu + 1) * 1'000'000;
    view.cpus.push_back(row);
  }
  const std::string text = written(view);
  // 3 s waited in 2 s, and half of the time one ran.
  EXPECT_NE(text.find("\"busyShare\":0.5,"), std::string::npos) << text;
  EXPECT_NE(text.find("\"runQueueLength\":2,"), std::string::npos) << text;
  EXPECT_NE(text.find("\"counts\":[0,6],\"total\":6,\"sumUs\":6e+06,\"maxUs\":2000"), std::string::npos) << text;
}

}  // namespace
}  // namespace sockdoc
