#include "inject/turn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>

#include "inject/guard.h"
#include "inject/process/facts.h"

namespace sockdoc::inject {
namespace {

/** Of whoever has locked this file, as /proc/locks has it; 0: nobody whom we see. */
pid_t holder_of(int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return 0;
  char name[64];
  std::snprintf(name, sizeof name, "%02x:%02x:%lu", major(info.st_dev), minor(info.st_dev),
                static_cast<unsigned long>(info.st_ino));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    // "8: FLOCK  ADVISORY  WRITE 1723 00:15:50069038 0 EOF"; who waits has "->" behind the number.
    char kind[16];
    char file_name[64];
    long pid = 0;
    const int found = std::sscanf(line.c_str(), "%*d: %15s %*s %*s %ld %63s", kind, &pid, file_name);
    if (found == 3 && std::string_view(kind) == "FLOCK" && std::string_view(file_name) == name) {
      return static_cast<pid_t>(pid);
    }
  }
  return 0;
}

/** Anybody may lock the folder: only who could attach to the process is waited for. */
bool may_attach(const ProcessFacts& holder, pid_t pid) {
  const auto target = read_facts(process_folder(pid));
  const std::uint32_t user = holder.users[1];
  return user == 0 || user == ::geteuid() || (target && user == target->users[0]);
}

/** Who is to be told to end: of a child that does the work (guard.h) the one that was started. */
std::string name_of(pid_t holder, const ProcessFacts& facts) {
  const auto parent = facts.comm == kTracerName ? read_facts(process_folder(facts.parent)) : std::nullopt;
  const auto named = [](const ProcessFacts& one, pid_t pid) { return one.comm + " (" + std::to_string(pid) + ") "; };
  return parent ? named(*parent, facts.parent) : named(facts, holder);
}

std::string deed_of(pid_t holder) {
  std::ifstream file(process_folder(holder) + "/cmdline");
  std::string program;
  std::string verb;
  std::getline(file, program, '\0');
  std::getline(file, verb, '\0');
  if (verb == "attach") return "is attaching to it";
  return verb == "detach" ? "is leaving it" : "is at work on it";
}

}  // namespace

Refused Turn::await(pid_t pid, const Deadline& deadline, Turn& into) {
  constexpr std::int64_t kPause = 5'000'000;
  // An injector is a process that we see. A lock that nobody has whom we could name is somebody's who left it to a
  // child, or of another /proc: whoever may read the folder could keep everybody out by that.
  constexpr int kMostOfNobody = 20;
  int nobody = 0;
  Fd folder(::open(process_folder(pid).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (folder.valid() && ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return std::nullopt;
    const pid_t holder = holder_of(folder.get());
    const auto facts = holder > 0 ? read_facts(process_folder(holder)) : std::nullopt;
    if (facts && !may_attach(*facts, pid)) return std::nullopt;
    // One whom /proc hides from us is there all the same.
    const bool gone = holder == 0 || (::kill(holder, 0) != 0 && errno == ESRCH);
    nobody = gone ? nobody + 1 : 0;
    if (nobody > kMostOfNobody) return std::nullopt;
    if (asked_to_end) return Refusal{"interrupted", "It was asked to end, and has done nothing.", ""};
    if (deadline.passed()) {
      const std::string who = facts ? name_of(holder, *facts) : "Another injector ";
      return Refusal{"busy", who + (facts ? deed_of(holder) : "is at work on it") + ", and was not done in time.",
                     "Wait until that is over, and try again."};
    }
    nap(kPause);
  }
  into.folder_ = std::move(folder);
  return std::nullopt;
}

}  // namespace sockdoc::inject
