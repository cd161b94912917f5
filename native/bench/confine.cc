#include "bench/confine.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "base/procfs.h"

namespace sockdoc::bench {

Result<std::vector<int>> parse_cpus(const std::string& text) {
  std::vector<int> cpus;
  for (std::string_view rest = text; !rest.empty();) {
    const auto cpu = parse_number<int>(take_until(rest, ','));
    if (!cpu || *cpu < 0 || *cpu >= CPU_SETSIZE) return Error{EINVAL, "CPUs " + text};
    cpus.push_back(*cpu);
  }
  if (cpus.empty()) return Error{EINVAL, "no CPUs"};
  return cpus;
}

Status confine_thread(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<unsigned>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) return errno_error("running on the CPUs wanted");
  return Done{};
}

void end_with_parent() {
  const pid_t parent = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  if (::getppid() != parent) ::raise(SIGKILL);  // it ended in between
}

Error become(std::span<char* const> command) {
  ::execvp(command[0], command.data());
  return errno_error(command[0]);
}

}  // namespace sockdoc::bench
