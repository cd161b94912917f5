#include "settings/process_limit.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_of.h"

namespace sockdoc {
namespace {

/** A process that waits, until the test is over. */
class Sleeper {
 public:
  Sleeper() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
  }
  ~Sleeper() { end(); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  [[nodiscard]] int pid() const { return pid_; }
  [[nodiscard]] rlimit limit(__rlimit_resource resource) const {
    rlimit limits{};
    EXPECT_EQ(::prlimit(pid_, resource, nullptr, &limits), 0);
    return limits;
  }
  void end() {
    if (ended_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ended_ = true;
  }

 private:
  pid_t pid_;
  bool ended_ = false;
};

TEST(ProcessLimit, IsSetForAProcessThatRuns) {
  const Sleeper sleeper;
  const rlimit before = sleeper.limit(RLIMIT_NOFILE);
  EXPECT_EQ(set_process_limit({sleeper.pid(), "nofile", 77, before.rlim_max}), "{}");
  EXPECT_EQ(sleeper.limit(RLIMIT_NOFILE).rlim_cur, 77u);
  EXPECT_EQ(sleeper.limit(RLIMIT_NOFILE).rlim_max, before.rlim_max);
  EXPECT_EQ(set_process_limit({sleeper.pid(), "nofile", before.rlim_cur, before.rlim_max}), "{}");
  EXPECT_EQ(sleeper.limit(RLIMIT_NOFILE).rlim_cur, before.rlim_cur);
}

TEST(ProcessLimit, KnowsNoLimit) {
  const Sleeper sleeper;
  if (sleeper.limit(RLIMIT_MEMLOCK).rlim_max != RLIM_INFINITY && ::geteuid() != 0) {
    GTEST_SKIP() << "needs root: the hard limit is raised";
  }
  const std::string answer = set_process_limit({sleeper.pid(), "memlock", kUnlimited, kUnlimited});
  if (errno_of(answer) == "EPERM") GTEST_SKIP() << "CAP_SYS_RESOURCE is missing";
  EXPECT_EQ(answer, "{}");
  EXPECT_EQ(sleeper.limit(RLIMIT_MEMLOCK).rlim_cur, RLIM_INFINITY);
}

TEST(ProcessLimit, NamesWhyItCannot) {
  Sleeper sleeper;
  EXPECT_EQ(errno_of(set_process_limit({sleeper.pid(), "core", 1, 1})), "EINVAL");
  EXPECT_EQ(errno_of(set_process_limit({sleeper.pid(), "nofile", 2, 1})), "EINVAL");
  sleeper.end();
  EXPECT_EQ(errno_of(set_process_limit({sleeper.pid(), "nofile", 64, 64})), "ESRCH");
}

}  // namespace
}  // namespace sockdoc
