#include "launch/command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <string_view>

#include "base/fd.h"
#include "base/procfs.h"

namespace sockdoc::launch {
namespace {

constexpr int kMostInterpreters = 5;  // as the kernel follows them
constexpr const char* kSystemPath = "/bin:/usr/bin";

std::vector<std::string> split_by_zero(const char* file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  std::vector<std::string> parts;
  for (std::string_view rest = text; !rest.empty();) parts.emplace_back(take_until(rest, '\0'));
  return parts;
}

/** 0 when execve(2) would take it for a program. */
int executable(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if (!S_ISREG(info.st_mode)) return EACCES;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

bool gains_privileges(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return false;
  return program::gains_privileges({::getuid(), ::geteuid(), ::getgid(), ::getegid(), info.st_mode, info.st_uid,
                                    info.st_gid, ::fgetxattr(fd, "security.capability", nullptr, 0) > 0});
}

void judge(Command& command) {
  command.judged = command.path;
  for (int i = 0; i < kMostInterpreters; i++) {
    // Somebody may have put a pipe or a device there: opening must not wait.
    const Fd file(::open(command.judged.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    char interpreter[program::kPathRoom];
    command.fit = program::Fit::unreadable;
    if (!file.valid()) return;
    const auto read = [&](std::uint64_t offset, void* into, std::size_t size) {
      const ssize_t got = ::pread(file.get(), into, size, static_cast<off_t>(offset));
      return got < 0 ? 0 : static_cast<std::size_t>(got);
    };
    command.fit = program::fit_of(read, interpreter);
    if (command.fit != program::Fit::script) {
      if (gains_privileges(file.get())) command.fit = program::Fit::gains_privileges;
      return;
    }
    command.judged = interpreter;
  }
}

}  // namespace

Command find_command(const std::string& name, const char* path) {
  Command command{.path = name, .error = ENOENT};
  if (name.find('/') != std::string::npos) {
    command.error = executable(name);
  } else if (!name.empty()) {
    std::string_view rest = path == nullptr ? kSystemPath : path;
    // One that may not be executed is remembered, and the search goes on.
    for (bool more = true; more && command.error != 0;) {
      more = rest.find(':') != std::string_view::npos;
      const std::string_view folder = take_until(rest, ':');
      const std::string candidate = folder.empty() ? name : std::string(folder) + "/" + name;
      const int error = executable(candidate);
      if (error != 0 && (error == ENOENT || error == ENOTDIR || command.error != ENOENT)) continue;
      if (error == EISDIR) continue;
      command.path = candidate;
      command.error = error;
    }
  }
  if (command.error == ENOTDIR) command.error = ENOENT;
  if (command.error == 0) judge(command);
  return command;
}

std::vector<std::string> last_arguments(std::size_t count) {
  auto all = split_by_zero("/proc/self/cmdline");
  if (all.size() <= count) return {};  // we are never all of it
  all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(count));
  return all;
}

std::vector<std::string> first_environment() { return split_by_zero("/proc/self/environ"); }

const char* value_in(const std::vector<std::string>& environment, const std::string& name) {
  for (const std::string& variable : environment) {
    if (variable.size() > name.size() && variable[name.size()] == '=' && variable.starts_with(name)) {
      return variable.c_str() + name.size() + 1;
    }
  }
  return nullptr;
}

}  // namespace sockdoc::launch
