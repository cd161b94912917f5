#include "base/gaps.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

namespace sockdoc {
namespace {

/** Capabilities are a thread's own: here no others are effective than one of these. */
bool keep_effective(std::uint64_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, halves) != 0) return false;
  for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; half++) {
    halves[half].effective &= static_cast<std::uint32_t>(kept >> 32 * half);
  }
  return ::syscall(SYS_capset, &header, halves) == 0;
}

template <typename... Capabilities>
constexpr std::uint64_t bits(Capabilities... capabilities) {
  return (std::uint64_t{0} | ... | (std::uint64_t{1} << capabilities));
}

/** What a gap says that needs `needs`, in a thread with these capabilities. */
Gap told(std::uint64_t kept, const std::string& needs) {
  Gap result;
  std::thread([&] {
    if (!keep_effective(kept)) return;
    Gaps gaps;
    gaps.add_errno("probe", "what", EACCES, needs);
    result = gaps.all().at(0);
  }).join();
  return result;
}

TEST(Gaps, WhoLacksACapabilityIsToldSo) {
  EXPECT_EQ(told(0, "CAP_SYS_PTRACE").needs, "CAP_SYS_PTRACE");
  EXPECT_EQ(told(0, "CAP_SYS_PTRACE").reason, "Permission denied");
  EXPECT_EQ(told(bits(CAP_SYS_PTRACE), "root (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)").needs,
            "root (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)");
  EXPECT_EQ(told(bits(CAP_PERFMON), "CAP_PERFMON and CAP_SYSLOG, or CAP_SYS_ADMIN").needs,
            "CAP_PERFMON and CAP_SYSLOG, or CAP_SYS_ADMIN");
}

TEST(Gaps, WhoHasTheCapabilityIsNotToldToGetIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root's capabilities";
  for (const auto& [held, needs] :
       {std::pair(bits(CAP_SYS_PTRACE), "CAP_SYS_PTRACE"),
        std::pair(bits(CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH), "root (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)"),
        std::pair(bits(CAP_SYS_ADMIN), "CAP_PERFMON and CAP_SYSLOG, or CAP_SYS_ADMIN"),
        std::pair(bits(CAP_PERFMON, CAP_SYSLOG), "CAP_PERFMON and CAP_SYSLOG, or CAP_SYS_ADMIN")}) {
    const Gap gap = told(held, needs);
    EXPECT_EQ(gap.needs, "");
    EXPECT_EQ(gap.reason, std::string("Permission denied, with ") + needs + " too");
  }
}

TEST(Gaps, WhatIsNoCapabilityIsSaidAsItIs) {
  EXPECT_EQ(told(~std::uint64_t{0}, "sysctl kernel.kptr_restrict=1").needs, "sysctl kernel.kptr_restrict=1");
}

TEST(Gaps, InAContainerTheHostsRootWouldHelp) {
  constexpr int kForbidden = 2;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER) != 0) ::_exit(kForbidden);
    Gaps gaps;
    gaps.add_errno("probe", "what", EACCES, "CAP_SYS_PTRACE");
    ::_exit(gaps.all().at(0).needs.find("in the initial user namespace") == std::string::npos ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kForbidden) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sockdoc
