#include "launch/replace.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>

#include "base/procfs.h"

namespace sockdoc::launch {
namespace {

constexpr std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

void restore_signals(const Inherited& inherited) {
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (int signal = 1; signal < NSIG; signal++) {
    if ((inherited.blocked & bit_of(signal)) != 0) ::sigaddset(&blocked, signal);
    struct sigaction action {};
    action.sa_handler = (inherited.ignored & bit_of(signal)) != 0 ? SIG_IGN : SIG_DFL;
    ::sigaction(signal, &action, nullptr);  // fails for SIGKILL, SIGSTOP and those that libc keeps
  }
  ::pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

/**
 * Node raises the soft limit to the hard one. Who noted nothing gets that of the process that started us, when it has
 * the same hard limit: then nobody changed it in between.
 */
std::optional<rlim_t> limit_of_parent() {
  rlimit parent{};
  rlimit own{};
  ::getrlimit(RLIMIT_NOFILE, &own);
  const bool known = ::prlimit(::getppid(), RLIMIT_NOFILE, nullptr, &parent) == 0;
  return known && parent.rlim_max == own.rlim_max ? std::optional(parent.rlim_cur) : std::nullopt;
}

void restore_limit(const Inherited& inherited) {
  rlimit limit{};
  const auto before = inherited.most_files ? inherited.most_files : limit_of_parent();
  if (!before || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(*before, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/** What each descriptor leads to. */
std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> found;
  FolderReader folder(AT_FDCWD, "/proc/self/fd");
  if (!folder.valid()) return found;
  char target[256];
  folder.for_each_number([&](const char* name, int fd) {
    if (fd != folder.fd()) found[fd] = read_link(folder.fd(), name, target).value_or("");
  });
  return found;
}

/** Node's own, and only its own, are of these kinds, close on exec, and have both ends of a pipe here. */
bool of_node(const std::map<int, std::string>& all, int fd, const std::string& target) {
  if ((::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) return false;
  if (target.starts_with("anon_inode:")) return true;
  if (target == "/dev/null") return (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
  if (!target.starts_with("pipe:")) return false;
  const auto ends = std::count_if(all.begin(), all.end(), [&](const auto& one) { return one.second == target; });
  return ends == 2;
}

/** Node has set close-on-exec on most of what it inherited. */
void restore_descriptors(const Inherited& inherited) {
  const auto all = open_descriptors();
  for (const auto& [fd, target] : all) {
    const auto among = [number = fd](const std::vector<int>& fds) {
      return std::find(fds.begin(), fds.end(), number) != fds.end();
    };
    const bool given = inherited.descriptors ? among(*inherited.descriptors)
                                             : among(inherited.open_at_start) && !of_node(all, fd, target);
    ::fcntl(fd, F_SETFD, given || fd <= STDERR_FILENO ? 0 : FD_CLOEXEC);
  }
  for (const auto& [fd, nonblocking] : inherited.nonblocking) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) != 0) == nonblocking) continue;
    ::fcntl(fd, F_SETFL, nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
  }
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

std::string name_of(const std::string& variable) { return variable.substr(0, variable.find('=')); }

std::vector<std::string> environment_of(const Replacement& replacement) {
  std::vector<std::string> result;
  for (const std::string& variable : replacement.environment) {
    const std::string name = name_of(variable);
    const auto named = [&](const std::string& other) { return name_of(other) == name; };
    if (std::any_of(replacement.set.begin(), replacement.set.end(), named)) continue;
    if (std::any_of(replacement.drop.begin(), replacement.drop.end(), named)) continue;
    result.push_back(variable);
  }
  result.insert(result.end(), replacement.set.begin(), replacement.set.end());
  return result;
}

int execute(const Replacement& replacement, const std::vector<std::string>& environment) {
  const auto variables = pointers(environment);
  ::execve(replacement.path.c_str(), pointers(replacement.arguments).data(), variables.data());
  if (errno != ENOEXEC) return errno;
  // As execvp(3): what the kernel does not know is for the shell.
  std::vector<std::string> arguments{"sh", replacement.path};
  arguments.insert(arguments.end(), replacement.arguments.begin() + 1, replacement.arguments.end());
  ::execve("/bin/sh", pointers(arguments).data(), variables.data());
  return errno;
}

}  // namespace

std::optional<Inherited> parse_inherited(std::string_view note, int pid) {
  const auto next = [&] { return take_until(note, ' '); };
  // The variable may be older than this process.
  if (parse_number<int>(next()) != pid) return std::nullopt;
  const auto blocked = parse_number<std::uint64_t>(next(), 16);
  const auto ignored = parse_number<std::uint64_t>(next(), 16);
  const auto files = parse_number<std::uint64_t>(next());
  if (!blocked || !ignored || !files) return std::nullopt;
  Inherited inherited;
  inherited.blocked = *blocked;
  inherited.ignored = *ignored;
  inherited.most_files = *files;
  inherited.descriptors.emplace();
  while (!note.empty()) {
    if (const auto fd = parse_number<int>(next())) inherited.descriptors->push_back(*fd);
  }
  return inherited;
}

Error replace_process(const Replacement& replacement) {
  if (replacement.arguments.empty()) return {EINVAL, "no command"};
  restore_descriptors(replacement.inherited);
  restore_limit(replacement.inherited);
  restore_signals(replacement.inherited);
  int code = execute(replacement, environment_of(replacement));
  // The little that we add can be too much.
  if (code == E2BIG) code = execute(replacement, replacement.environment);
  return {code, replacement.path};
}

}  // namespace sockdoc::launch
