#include "monitor/run_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace sockdoc::monitor {
namespace {

constexpr int kUsage = 2;
constexpr int kNotPermitted = 3;
constexpr int kNotPossible = 4;

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83  // Linux 6.16
#endif

StartFailure failure_of(int code, const std::string& message, const std::string& next) {
  const bool denied = code == EACCES || code == EPERM || code == EROFS;
  return {denied ? kNotPermitted : kNotPossible, message + ": " + std::strerror(code), next};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/** Nobody else may replace the socket: the folder is ours or root's and only its owner may write, or it is sticky. */
std::optional<StartFailure> prepare_folder(const std::string& folder, bool ours) {
  if (ours && ::mkdir(folder.c_str(), ::geteuid() == 0 ? 0755 : 0700) != 0 && errno != EEXIST) {
    return failure_of(errno, "the folder " + folder + " cannot be made",
                      "Another place: sockdoc monitor start --socket PATH");
  }
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) {
    return failure_of(errno, "the folder " + folder + " cannot be used",
                      "Example: sockdoc monitor start --socket PATH");
  }
  const bool safe_owner = info.st_uid == 0 || info.st_uid == ::geteuid();
  const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0;
  if (!S_ISDIR(info.st_mode) || !safe_owner || others_write || (ours && info.st_uid != ::geteuid())) {
    return StartFailure{kNotPermitted, "the folder " + folder + " could be changed by others than root and you",
                        "Remove it, or name another place: sockdoc monitor start --socket PATH"};
  }
  return std::nullopt;
}

/** Holds the lock file; the pid in it is for people. */
std::variant<Fd, StartFailure> take_lock(const std::string& path) {
  for (;;) {
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!lock.valid()) {
      return failure_of(errno, path + " cannot be written", "Another place: sockdoc monitor start --socket PATH");
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      char pid[16] = {};
      (void)!::pread(lock.get(), pid, sizeof pid - 1, 0);
      return StartFailure{kNotPossible, "a monitor runs here already, pid " + std::to_string(std::atoi(pid)),
                          "sockdoc monitor status says more; sockdoc monitor stop ends it"};
    }
    struct stat held {};
    struct stat named {};
    // Whoever ended just now may have removed the file between our opening and our locking.
    if (::fstat(lock.get(), &held) != 0 || ::stat(path.c_str(), &named) != 0 || held.st_ino != named.st_ino) continue;
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
      return failure_of(errno, path + " cannot be written", "Another place: sockdoc monitor start --socket PATH");
    }
    return lock;
  }
}

std::variant<Fd, StartFailure> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return StartFailure{kUsage, "the path " + path + " is too long for a socket",
                        "Expected: at most 107 bytes, as in /run/sockdoc/monitor.sock"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) {
    return StartFailure{kUsage, path + " exists and is no socket", "Expected: a free path, or a socket left behind"};
  }
  (void)::unlink(path.c_str());
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The system's monitor serves everybody; what each may do is decided by the kernel's word on who asks.
  const mode_t before = ::umask(::geteuid() == 0 ? 0111 : 0177);
  const bool bound = ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  const int code = errno;
  ::umask(before);
  if (!bound) {
    return failure_of(code, "the socket " + path + " cannot be made",
                      "Another place: sockdoc monitor start --socket PATH");
  }
  const int on = 1;
  const int off = 0;
  (void)::setsockopt(listener.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  (void)::setsockopt(listener.get(), SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
  if (::listen(listener.get(), 128) != 0) return failure_of(errno, "listen at " + path, "");
  return listener;
}

}  // namespace

std::string default_socket() {
  if (::geteuid() == 0) return "/run/sockdoc/monitor.sock";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') return std::string(runtime) + "/sockdoc/monitor.sock";
  return "/tmp/sockdoc-" + std::to_string(::geteuid()) + "/monitor.sock";
}

std::variant<RunFiles, StartFailure> RunFiles::claim(const std::string& path) {
  if (auto failure = prepare_folder(folder_of(path), path == default_socket())) return *failure;
  auto lock = take_lock(path + ".lock");
  if (auto* failure = std::get_if<StartFailure>(&lock)) return *failure;
  auto listener = listen_at(path);
  if (auto* failure = std::get_if<StartFailure>(&listener)) {
    (void)::unlink((path + ".lock").c_str());
    return *failure;
  }
  return RunFiles(path, std::move(std::get<Fd>(lock)), std::move(std::get<Fd>(listener)));
}

RunFiles::RunFiles(RunFiles&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::move(other.lock_)), listener_(std::move(other.listener_)) {}

RunFiles::~RunFiles() {
  if (!lock_.valid()) return;
  (void)::unlink(path_.c_str());
  (void)::unlink((path_ + ".lock").c_str());
}

}  // namespace sockdoc::monitor
