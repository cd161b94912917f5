#include "inject/process/facts.h"

#include <fcntl.h>

#include <charconv>
#include <cstdlib>
#include <ctime>

#include "base/procfs.h"

namespace sockdoc::inject {
namespace {

constexpr std::uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD of include/linux/sched.h

template <std::size_t N>
std::array<std::uint32_t, N> numbers(std::string_view line) {
  std::array<std::uint32_t, N> result{};
  for (auto& one : result) {
    const std::string_view word = take_until(line, '\t');
    one = parse_number<std::uint32_t>(word).value_or(0);
  }
  return result;
}

/** A field of /proc/PID/stat behind the name, which may hold anything; numbered from 1, as in proc(5). */
std::uint64_t field_of(std::string_view stat, int field) {
  constexpr int kName = 2;
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  stat.remove_prefix(name_end + 1);
  for (int i = kName; i < field; i++) take_until(stat, ' ');
  return parse_number<std::uint64_t>(stat).value_or(0);
}

}  // namespace

std::string process_folder(pid_t pid) { return "/proc/" + std::to_string(pid); }

std::string thread_folder(pid_t pid, pid_t tid) { return process_folder(pid) + "/task/" + std::to_string(tid); }

std::optional<ProcessFacts> read_facts(const std::string& folder) {
  char buffer[8192];
  ProcessFacts facts;
  const auto stat = read_small(AT_FDCWD, (folder + "/stat").c_str(), buffer);
  if (!stat || stat->empty()) return std::nullopt;
  constexpr int kFlags = 9;
  constexpr int kBegan = 22;
  constexpr int kStack = 28;
  facts.kernel_thread = (field_of(*stat, kFlags) & kKernelThread) != 0;
  facts.identity = {field_of(*stat, kBegan), field_of(*stat, kStack)};
  const auto status = read_small(AT_FDCWD, (folder + "/status").c_str(), buffer);
  if (!status || status->empty()) return std::nullopt;
  facts.comm = line_of(*status, "Name:");
  const std::string_view state = line_of(*status, "State:");
  if (!state.empty()) facts.state = state.front();
  facts.parent = parse_number<pid_t>(line_of(*status, "PPid:")).value_or(0);
  facts.tracer = parse_number<pid_t>(line_of(*status, "TracerPid:")).value_or(0);
  facts.threads = parse_number<int>(line_of(*status, "Threads:")).value_or(0);
  facts.seccomp = parse_number<int>(line_of(*status, "Seccomp:")).value_or(0);
  facts.users = numbers<3>(line_of(*status, "Uid:"));
  facts.groups = numbers<3>(line_of(*status, "Gid:"));
  facts.permitted = parse_number<std::uint64_t>(line_of(*status, "CapPrm:"), 16).value_or(0);
  facts.shadow_stack = line_of(*status, "x86_Thread_features:").find("shstk") != std::string_view::npos;
  return facts;
}

bool has_ended(pid_t pid) {
  const auto facts = read_facts(process_folder(pid));
  return !facts || facts->state == 'Z' || facts->state == 'X';
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> result;
  FolderReader folder(AT_FDCWD, (process_folder(pid) + "/task").c_str());
  folder.for_each_number([&](const char*, int tid) { result.push_back(tid); });
  return result;
}

Activity read_system_call(pid_t pid, pid_t tid, SystemCall& into) {
  char buffer[512];
  const auto text = read_small(AT_FDCWD, (thread_folder(pid, tid) + "/syscall").c_str(), buffer);
  if (!text || text->empty()) return Activity::unknown;
  if (text->starts_with("running")) return Activity::running;
  std::string_view rest = text->substr(0, text->find('\n'));
  const auto number = parse_number<long>(take_until(rest, ' '));
  if (!number || *number < 0) return Activity::elsewhere;
  const auto hexadecimal = [&] {
    std::string_view word = take_until(rest, ' ');
    if (word.starts_with("0x")) word.remove_prefix(2);
    return parse_number<std::uint64_t>(word, 16).value_or(0);
  };
  into.number = *number;
  for (auto& argument : into.arguments) argument = hexadecimal();
  into.stack = hexadecimal();
  into.at = hexadecimal();
  return Activity::sleeping;
}

std::optional<Sleep> read_sleep(pid_t pid, pid_t tid) {
  constexpr int kProcessor = 39;
  char buffer[8192];
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto cpu = [&, folder = thread_folder(pid, tid)] {
    const auto stat = read_small(AT_FDCWD, (folder + "/stat").c_str(), buffer);
    return stat ? field_of(*stat, kProcessor) : 0;
  };
  const std::uint64_t cpu_before = cpu();
  const auto text = read_small(AT_FDCWD, (thread_folder(pid, tid) + "/sched").c_str(), buffer);
  if (!text) return std::nullopt;
  const auto value = [&](std::string_view name) {
    std::string_view line = line_of(*text, name);
    const std::size_t colon = line.find_first_not_of(" :");
    return colon == std::string_view::npos ? std::string_view() : line.substr(colon);
  };
  Sleep sleep;
  const auto count = parse_number<std::uint64_t>(value("nr_voluntary_switches"));
  if (!count) return std::nullopt;
  sleep.count = *count;
  sleep.since_ms = std::strtod(std::string(value("se.exec_start")).c_str(), nullptr);
  sleep.cpu = cpu();
  if (sleep.cpu != cpu_before) sleep.since_ms = 0;
  constexpr std::int64_t kSecond = 1'000'000'000;
  sleep.looked_at_ns = now.tv_sec * kSecond + now.tv_nsec;
  return sleep;
}

}  // namespace sockdoc::inject
