#include "base/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <optional>
#include <thread>

#include "base/fd.h"

namespace sockdoc {
namespace {

std::optional<Error> enter(const std::string& path, bool own_sysfs) {
  const Fd ns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns.valid()) return errno_error("open " + path);
  if (own_sysfs) {
    // Private first, so that the new /sys is seen by this thread alone.
    if (::unshare(CLONE_NEWNS) != 0) return errno_error("unshare mount namespace");
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno_error("make mounts private");
  }
  if (::setns(ns.get(), CLONE_NEWNET) != 0) return errno_error("setns " + path);
  if (own_sysfs && ::mount("sockdoc", "/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return errno_error("mount sysfs");
  }
  return std::nullopt;
}

}  // namespace

Status in_netns(const std::string& path, bool own_sysfs, const std::function<void()>& work) {
  std::optional<Error> failure;
  std::thread([&] {
    if (!path.empty()) failure = enter(path, own_sysfs);
    if (!failure) work();
  }).join();
  if (failure) return *failure;
  return Done{};
}

Result<std::uint64_t> netns_id(const std::string& path) {
  const std::string target = path.empty() ? "/proc/thread-self/ns/net" : path;
  struct stat info {};
  if (::stat(target.c_str(), &info) != 0) return errno_error("stat " + target);
  return static_cast<std::uint64_t>(info.st_ino);
}

}  // namespace sockdoc
