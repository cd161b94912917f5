#include "base/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <optional>
#include <thread>

#include "base/fd.h"

namespace sockdoc {
namespace {

enum class Sysfs { ours, fresh, fresh_writable };

/** Somebody who mounted /sys for reading only meant it: a fresh one would be a way around that. */
bool sysfs_read_only() {
  struct statvfs info {};
  return ::statvfs("/sys", &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

std::optional<Error> enter(const std::string& path, Sysfs sysfs) {
  const bool own_sysfs = sysfs != Sysfs::ours;
  if (sysfs == Sysfs::fresh_writable && sysfs_read_only()) return Error{EROFS, "/sys"};
  const Fd ns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns.valid()) return errno_error("open " + path);
  if (own_sysfs) {
    // Private first, so that the new /sys is seen by this thread alone.
    if (::unshare(CLONE_NEWNS) != 0) return errno_error("unshare mount namespace");
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno_error("make mounts private");
  }
  if (::setns(ns.get(), CLONE_NEWNET) != 0) return errno_error("setns " + path);
  // All mounts of one namespace's sysfs share what is below them, and the last of them goes later than its thread: only
  // the mount is for reading, or the next writer would find all of it so.
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  // EBUSY: the /sys that is there is that namespace's already (`ip netns exec` mounts it).
  if (own_sysfs && ::mount("sockdoc", "/sys", "sysfs", kFlags, nullptr) != 0 && errno != EBUSY) {
    return errno_error("mount sysfs");
  }
  if (sysfs == Sysfs::fresh &&
      ::mount(nullptr, "/sys", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kFlags, nullptr) != 0) {
    return errno_error("make sysfs read-only");
  }
  return std::nullopt;
}

Status visit(const std::string& path, Sysfs sysfs, const std::function<void()>& work) {
  std::optional<Error> failure;
  std::thread([&] {
    if (!path.empty()) failure = enter(path, sysfs);
    if (!failure) work();
  }).join();
  if (failure) return *failure;
  return Done{};
}

}  // namespace

Status in_netns(const std::string& path, bool own_sysfs, const std::function<void()>& work) {
  return visit(path, own_sysfs ? Sysfs::fresh : Sysfs::ours, work);
}

Status in_netns_to_write(const std::string& path, bool own_sysfs, const std::function<void()>& work) {
  return visit(path, own_sysfs ? Sysfs::fresh_writable : Sysfs::ours, work);
}

Status in_new_netns(const std::function<void()>& work) {
  std::optional<Error> failure;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) failure = errno_error("unshare network namespace");
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
