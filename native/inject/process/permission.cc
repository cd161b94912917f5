#include "inject/process/permission.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/procfs.h"

namespace sockdoc::inject {
namespace {

constexpr const char* kAsRoot = "Run it as root.";

int yama() {
  char buffer[16];
  const auto text = read_small(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", buffer);
  return text ? parse_number<int>(*text).value_or(0) : 0;
}

/** The files in /proc of a process that may not be looked at belong to root (proc(5)); their folder does not. */
bool dumpable(pid_t pid, const ProcessFacts& facts) {
  struct stat file {};
  return ::stat((process_folder(pid) + "/status").c_str(), &file) != 0 || file.st_uid == facts.users[1];
}

bool all_same(const std::array<std::uint32_t, 3>& ids) { return ids[0] == ids[1] && ids[1] == ids[2]; }

}  // namespace

Refusal explain_denial(pid_t pid, const ProcessFacts& facts) {
  const std::uint32_t me = ::geteuid();
  if (!all_same(facts.users) || !all_same(facts.groups)) {
    return {"setuid", "It gained privileges when it started (set-user-ID or set-group-ID).", me == 0 ? "" : kAsRoot};
  }
  if (facts.users[0] != me) {
    return {"permission",
            "It runs as user " + std::to_string(facts.users[0]) + ", and you are user " + std::to_string(me) + ".",
            "Run it as root or as that user."};
  }
  if (!dumpable(pid, facts)) {
    return {"setuid", "It gained privileges when it started, or has forbidden that it is looked at (PR_SET_DUMPABLE).",
            me == 0 ? "" : kAsRoot};
  }
  const int scope = yama();
  if (scope == 3) {
    return {"permission", "Nobody may trace a process on this host (kernel.yama.ptrace_scope is 3).",
            "Start the host without that setting."};
  }
  if (scope > 0) {
    return {"permission",
            "kernel.yama.ptrace_scope is " + std::to_string(scope) +
                ": only root may trace a process that is not its child.",
            kAsRoot};
  }
  return {"permission",
          "The kernel does not let you trace it: it has capabilities or a user namespace that you have not, or a "
          "security module forbids it.",
          me == 0 ? "Run it in the host's user namespace." : kAsRoot};
}

Refused may_not_trace(const Memory& memory, const ProcessFacts& facts) {
  const pid_t pid = memory.pid();
  const auto maps = read_maps(pid);
  if (!maps) return errno == ESRCH || errno == ENOENT ? gone() : explain_denial(pid, facts);
  const auto readable = std::find_if(maps->begin(), maps->end(), [](const Mapping& one) {
    return one.readable && one.path != "[vvar]" && one.path != "[vsyscall]";
  });
  if (readable == maps->end()) return gone();
  char byte = 0;
  if (memory.read(Address{readable->begin}, &byte, 1) == 1) return std::nullopt;
  return errno == ESRCH ? gone() : explain_denial(pid, facts);
}

}  // namespace sockdoc::inject
