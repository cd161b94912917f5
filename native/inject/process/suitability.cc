#include "inject/process/suitability.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/memory_groups.h"
#include "base/procfs.h"
#include "inject/process/permission.h"
#include "program/fit.h"

namespace sockdoc::inject {
namespace {

using program::Fit;

constexpr ino_t kHostsPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO of include/linux/proc_ns.h

/** The first process of the host, not of a container: there it is often the very program that is wanted. */
bool is_hosts_init(pid_t pid) {
  struct stat space {};
  return pid == 1 && (::stat("/proc/self/ns/pid", &space) != 0 || space.st_ino == kHostsPidNamespace);
}

/** Those who started us wait for us: stopped, they would not see us end. */
bool is_one_of_us(pid_t pid) {
  for (pid_t one = ::getpid(); one > 1;) {
    if (one == pid) return true;
    const auto facts = read_facts(process_folder(one));
    one = facts ? facts->parent : 0;
  }
  return false;
}

Refusal traced_by(pid_t tracer) {
  const auto facts = read_facts(process_folder(tracer));
  const std::string who = facts ? facts->comm + " (" + std::to_string(tracer) + ")" : "another process";
  return {"traced", "It is being traced by " + who + ", and a process has one tracer at most.", "End that first."};
}

Refused judge_kind(pid_t pid, const ProcessFacts& facts) {
  if (is_one_of_us(pid)) return Refusal{"self", "It is sockdoc itself, or has started it and waits for it.", ""};
  if (facts.kernel_thread) return Refusal{"kernel-thread", "It is a thread of the kernel.", ""};
  if (is_hosts_init(pid)) return Refusal{"init", "It is the host's first process, without which nothing goes on.", ""};
  if (facts.state == 'Z' || facts.state == 'X') {
    if (facts.threads > 1) return Refusal{"zombie", "Its first thread has ended; only others go on.", ""};
    return Refusal{"zombie", "It has ended, and its parent has not taken notice of it.", ""};
  }
  if (facts.tracer != 0) return traced_by(facts.tracer);
  if (facts.state == 'T') {
    return Refusal{"stopped", "It is stopped, by SIGSTOP or a terminal.",
                   "Let it go on first: kill -CONT " + std::to_string(pid)};
  }
  return std::nullopt;
}

const char* code_of(Fit fit) {
  if (fit == Fit::statically_linked) return "static";
  if (fit == Fit::go) return "go";
  if (fit == Fit::other_libc) return "musl";
  return "machine";
}

Refused judge_program(pid_t pid, const ProcessFacts& facts) {
  const Fd file(::open((process_folder(pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno == ENOENT || errno == ESRCH ? gone() : explain_denial(pid, facts);
  const auto read = [&](std::uint64_t offset, void* into, std::size_t size) {
    const ssize_t got = ::pread(file.get(), into, size, static_cast<off_t>(offset));
    return got < 0 ? std::size_t{0} : static_cast<std::size_t>(got);
  };
  char interpreter[program::kPathRoom];
  const Fit fit = program::fit_of(read, interpreter);
  if (fit == Fit::fits) return std::nullopt;
  return Refusal{code_of(fit), std::string("Its program ") + program::fit_text(fit) + ".", ""};
}

Refused judge_confinement(pid_t pid, const ProcessFacts& facts) {
  if (facts.shadow_stack) {
    return Refusal{"shadow-stack",
                   "The processor keeps a shadow stack for it, on which a call from outside would be a fault.",
                   "Start it without shadow stacks, or under sockdoc run."};
  }
  for (const pid_t tid : threads_of(pid)) {
    const auto thread = read_facts(thread_folder(pid, tid));
    if (thread && thread->tracer != 0) return traced_by(thread->tracer);
  }
  return std::nullopt;
}

/** Those could run in the memory that we change, and do not stop with its threads. */
Refused judge_sharing_now(pid_t pid) {
  Refused found;
  FolderReader all(AT_FDCWD, "/proc");
  all.for_each_number([&](const char*, int other) {
    if (other == pid || found || ::syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0) != 0) return;
    found = Refusal{"shared-memory",
                    "Process " + std::to_string(other) + " runs in the same memory (CLONE_VM) and is no thread of it.",
                    "Try again when that one has ended."};
  });
  return found;
}

/** A child of vfork() or posix_spawn() executes soon. */
Refused judge_sharing(pid_t pid, const Deadline& deadline) {
  constexpr int kPatienceMs = 1000;
  const Deadline patience = deadline.no_later_than_ms(kPatienceMs);
  for (;;) {
    auto refusal = judge_sharing_now(pid);
    if (!refusal || patience.passed()) return refusal;
    nap(1'000'000);
  }
}

Refused judge_descriptors(pid_t pid) {
  bool ring = false;
  FolderReader folder(AT_FDCWD, (process_folder(pid) + "/fd").c_str());
  folder.for_each_number([&](const char* name, int) {
    char buffer[64];
    const auto target = read_link(folder.fd(), name, buffer);
    ring |= target && *target == "anon_inode:[io_uring]";
  });
  if (!ring) return std::nullopt;
  return Refusal{"io-uring",
                 "It has an io_uring, by which the kernel reads and writes its sockets where libsd does not see it.",
                 ""};
}

/** Where a group is full the kernel kills one of its processes, and none of what comes into the target can be had else.
 */
Refused judge_room(pid_t pid) {
  constexpr std::uint64_t kWanted = 256 << 10;  // measured: 130 KiB and the kernel's tables
  if (memory_left((process_folder(pid) + "/cgroup").c_str(), kWanted) >= kWanted) return std::nullopt;
  return Refusal{"memory",
                 "Its memory control group has too little left for libsd, which may take 256 KiB and leaves some free.",
                 "Raise the limit of its memory control group."};
}

/** vfork() of a thread looks like this too, until its child executes. */
Refused await_interruptible(pid_t pid, const Deadline& deadline) {
  for (;;) {
    pid_t sleeper = 0;
    for (const pid_t tid : threads_of(pid)) {
      const auto thread = read_facts(thread_folder(pid, tid));
      if (thread && thread->state == 'D') sleeper = tid;
    }
    if (sleeper == 0) return std::nullopt;
    if (deadline.passed()) {
      return Refusal{"uninterruptible",
                     "Thread " + std::to_string(sleeper) +
                         " waits in the kernel in a way that cannot be interrupted, as for a disk.",
                     "Try again later."};
    }
    nap(2'000'000);
  }
}

}  // namespace

std::variant<Suitable, Refusal> judge(const Memory& memory, Purpose purpose, const Deadline& deadline) {
  const pid_t pid = memory.pid();
  const auto facts = read_facts(process_folder(pid));
  if (!facts) return gone();
  if (auto refusal = judge_kind(pid, *facts)) return *refusal;
  if (auto refusal = may_not_trace(memory, *facts)) return *refusal;
  if (auto refusal = judge_program(pid, *facts)) return *refusal;
  const auto maps = read_maps(pid);
  if (!maps || maps->empty()) return gone();
  auto libc = find_library(memory, *maps, "libc.so.6");
  if (!libc) return Refusal{"musl", "glibc's libc.so.6 is not loaded in it.", ""};
  std::optional<Image> libsd;
  for (Image& image : exporting(memory, *maps, "sockdoc_libsd_status")) libsd = image;
  if (purpose == Purpose::detach && !libsd) return Refusal{"not-attached", "libsd is not loaded in it.", ""};
  if (auto refusal = judge_confinement(pid, *facts)) return *refusal;
  if (auto refusal = await_interruptible(pid, deadline)) return *refusal;
  if (auto refusal = judge_sharing(pid, deadline)) return *refusal;
  if (purpose == Purpose::attach) {
    if (auto refusal = judge_descriptors(pid)) return *refusal;
    if (auto refusal = judge_room(pid)) return *refusal;
  }
  return Suitable{*facts, *libc, libsd};
}

Refused judge_monitor(pid_t pid, const std::string& socket) {
  struct stat ours {};
  struct stat theirs {};
  if (!socket.starts_with('/') || ::stat(socket.c_str(), &ours) != 0) return std::nullopt;
  const bool there = ::stat((process_folder(pid) + "/root" + socket).c_str(), &theirs) == 0;
  if (!there && errno != ENOENT && errno != ENOTDIR) return std::nullopt;
  if (there && theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino) return std::nullopt;
  const std::string folder = socket.substr(0, socket.rfind('/'));
  return Refusal{"monitor",
                 "The monitor's socket " + socket +
                     " is not to be seen in its mount namespace, so that none of its connections could move.",
                 "Mount " + folder + " into its container at the same place."};
}

}  // namespace sockdoc::inject
