#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sockdoc::inject {

/** Tells a process from another one with its number, and from what it was before it executed another program. */
struct Identity {
  std::uint64_t began = 0;  // clock ticks after boot
  std::uint64_t stack = 0;  // where its stack begins; 0 for who may not trace it

  bool operator==(const Identity&) const = default;
};

/** What /proc/PID/status and /proc/PID/stat say to everybody (proc(5)). */
struct ProcessFacts {
  Identity identity;
  std::string comm;
  char state = '?';
  pid_t parent = 0;
  pid_t tracer = 0;
  int threads = 0;
  int seccomp = 0;  // 1: strict, 2: filters
  bool kernel_thread = false;
  bool shadow_stack = false;
  std::array<std::uint32_t, 3> users{};   // real, effective, saved
  std::array<std::uint32_t, 3> groups{};  // the same
  std::uint64_t permitted = 0;            // capabilities
};

std::optional<ProcessFacts> read_facts(const std::string& folder);

/** Also of one that its parent, or its tracer, has not taken notice of. */
bool has_ended(pid_t pid);

/** Of "/proc/PID" or "/proc/PID/task/TID". */
std::string process_folder(pid_t pid);
std::string thread_folder(pid_t pid, pid_t tid);

std::vector<pid_t> threads_of(pid_t pid);

/** The system call that a thread is in, as /proc/PID/task/TID/syscall has it: only of one that sleeps. */
struct SystemCall {
  long number = -1;
  std::array<std::uint64_t, 6> arguments{};
  std::uint64_t stack = 0;
  std::uint64_t at = 0;
};
enum class Activity { running, sleeping, elsewhere, unknown };  // elsewhere: asleep, in no system call
Activity read_system_call(pid_t pid, pid_t tid, SystemCall& into);

/** Of a thread that sleeps, or is stopped. Nothing on kernels without /proc/PID/sched. */
struct Sleep {
  /**
   * When it ran last, by the clock of `cpu`, from which the clocks of others differ by seconds: each leaves out what
   * interrupts and a hypervisor took. 0: not known, as of one that was woken and waits for its turn.
   */
  double since_ms = 0;
  std::uint64_t cpu = 0;
  std::uint64_t count = 0;        // how often it fell asleep
  std::int64_t looked_at_ns = 0;  // of CLOCK_MONOTONIC
};
std::optional<Sleep> read_sleep(pid_t pid, pid_t tid);

}  // namespace sockdoc::inject
