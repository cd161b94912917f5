#include "probes/sockets/process_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "probes/sockets/process_details.h"
#include "probes/sockets/system_calls.h"
#include "probes/sockets/threads.h"

namespace sockdoc {
namespace {

TEST(ProcessStat, NameMayHoldAnything) {
  const auto stat = parse_stat(
      "42 (a) (b c) S 7 42 42 0 -1 4194304 131 0 0 0 11 22 0 0 20 0 3 0 172263 2990080 420 18446744073709551615 1 1 1 "
      "0 "
      "0 "
      "0 0 6 0 1 0 0 17 5 0 0 0 0 0\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "a) (b c");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->ppid, 7);
  EXPECT_EQ(stat->user_ticks, 11u);
  EXPECT_EQ(stat->system_ticks, 22u);
  EXPECT_EQ(stat->threads, 3);
  EXPECT_EQ(stat->start_ticks, 172263u);
  EXPECT_EQ(stat->cpu, 5);
  EXPECT_FALSE(stat->is_kernel_thread());
}

TEST(ProcessStat, DamagedTextIsNone) {
  for (const char* text : {"", "42", "42 (", "42 (a", "42 )a(", "42 (a)"}) EXPECT_FALSE(parse_stat(text)) << text;
}

TEST(ProcessTable, HoldsThisProcessAndItsParentsChild) {
  Gaps gaps;
  const ProcessTable table = ProcessTable::read({::getpid()}, {::getppid()}, gaps);
  const auto find = [&](int pid) {
    return std::find_if(table.all().begin(), table.all().end(), [&](const auto& p) { return p.pid == pid; });
  };
  const auto own = find(::getpid());
  ASSERT_NE(own, table.all().end());
  EXPECT_TRUE(own->asked);
  EXPECT_FALSE(own->self);
  EXPECT_EQ(own->stat.ppid, ::getppid());
  if (const auto parent = find(::getppid()); parent != table.all().end()) {
    EXPECT_GE(parent->children, 1);
    EXPECT_TRUE(parent->self);
  }
  EXPECT_TRUE(gaps.all().empty());
}

TEST(ProcessDetails, ReadsLimitsOfTheTextFile) {
  const std::string_view text =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max open files            1024                 20000                files     \n"
      "Max locked memory         unlimited            unlimited            bytes     \n";
  const Limit files = parse_limit(text, "Max open files");
  EXPECT_EQ(files.soft, 1024u);
  EXPECT_EQ(files.hard, 20000u);
  const Limit memlock = parse_limit(text, "Max locked memory");
  EXPECT_TRUE(memlock.soft_unlimited);
  EXPECT_FALSE(memlock.soft);
  EXPECT_FALSE(parse_limit("", "Max open files").soft);
}

TEST(ProcessDetails, ReadsBothCgroupVersions) {
  const auto v2 = parse_cgroups("0::/system.slice/nginx.service\n");
  EXPECT_EQ(main_cgroup(v2), "/system.slice/nginx.service");
  const auto hybrid = parse_cgroups("4:memory:/m\n2:cpu,cpuacct:/with:colon\n0::/u\n");
  EXPECT_EQ(hybrid.at("cpu"), "/with:colon");
  EXPECT_EQ(hybrid.at("memory"), "/m");
  EXPECT_EQ(hybrid.at("unified"), "/u");
  EXPECT_EQ(main_cgroup(hybrid), "/with:colon");
  EXPECT_EQ(main_cgroup(parse_cgroups("")), "");
}

TEST(ProcessDetails, OwnProcess) {
  const ProcessDetails details = read_details(::getpid());
  EXPECT_EQ(details.uid, ::getuid());
  EXPECT_FALSE(details.netns.empty());
  EXPECT_FALSE(details.cpus_allowed.empty());
  EXPECT_NE(details.command_line.find("sockdoc_native_tests"), std::string::npos);
  EXPECT_TRUE(details.files.soft.has_value());
}

TEST(SystemCalls, ParsesWhatAThreadIsBlockedIn) {
  const auto call = parse_blocked_call("0 0xffffffffffffffff 0x7ffd 0x0 0x0 0x0 0x0 0x7ffd19833068 0x7ff273ea4503\n");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->number, 0);
  EXPECT_EQ(call->arg0, -1);
  EXPECT_FALSE(parse_blocked_call("running\n"));
  EXPECT_FALSE(parse_blocked_call("-1 0x7ffd19833068 0x7ff273ea4503\n"));
  EXPECT_FALSE(parse_blocked_call("7"));
  EXPECT_FALSE(parse_blocked_call(""));
  EXPECT_EQ(system_call_name(-5), "");
}

TEST(Threads, ParsesSchedulerFiles) {
  const auto times = parse_schedstat("964405 1956189 2\n");
  ASSERT_TRUE(times);
  EXPECT_EQ(times->delay_ns, 1956189u);
  EXPECT_EQ(times->timeslices, 2u);
  EXPECT_FALSE(parse_schedstat("964405 1956189"));
  const auto switches = parse_switches("Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n");
  ASSERT_TRUE(switches);
  EXPECT_EQ(switches->voluntary, 5u);
  EXPECT_EQ(switches->involuntary, 6u);
}

TEST(Threads, LimitIsSaidAndLeavesNoHalfSum) {
  Gaps gaps;
  ProcessEntry own;
  own.pid = ::getpid();
  ThreadReader none(0, gaps);
  EXPECT_FALSE(none.read(own).times);
  none.finish();
  ASSERT_EQ(gaps.all().size(), 1u);
  EXPECT_NE(gaps.all()[0].reason.find("shortened"), std::string::npos);

  ThreadReader reader(8192, gaps);
  const ThreadSums sums = reader.read(own);
  EXPECT_TRUE(sums.switches);
  ASSERT_FALSE(reader.rows().empty());
  EXPECT_EQ(reader.rows()[0].pid, ::getpid());
}

}  // namespace
}  // namespace sockdoc
