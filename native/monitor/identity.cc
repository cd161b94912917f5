#include "monitor/identity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/procfs.h"

namespace sockdoc::monitor {
namespace {

/** The numbers of a line, separated by blanks. */
template <typename T>
std::vector<T> numbers(std::string_view line) {
  std::vector<T> found;
  while (!line.empty()) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) break;
    line.remove_prefix(start);
    const auto number = parse_number<T>(line);
    if (!number) break;
    found.push_back(*number);
    const std::size_t end = line.find_first_of(" \t");
    line.remove_prefix(end == std::string_view::npos ? line.size() : end);
  }
  return found;
}

bool same_file(int proc, const std::string& path) {
  struct stat theirs {};
  struct stat ours {};
  return ::fstatat(proc, "exe", &theirs, 0) == 0 && ::stat(path.c_str(), &ours) == 0 && theirs.st_dev == ours.st_dev &&
         theirs.st_ino == ours.st_ino;
}

}  // namespace

bool same_user(const Identity& a, const Identity& b) { return a.one_user() && b.one_user() && a.uid() == b.uid(); }

std::optional<Identity> parse_status(std::string_view text) {
  Identity identity;
  const auto uids = numbers<uid_t>(line_of(text, "Uid:"));
  const auto gids = numbers<gid_t>(line_of(text, "Gid:"));
  const auto pids = numbers<int>(line_of(text, "NSpid:"));
  if (uids.size() < 3 || gids.size() < 3 || pids.empty()) return std::nullopt;
  for (std::size_t i = 0; i < 3; ++i) {
    identity.uids[i] = uids[i];
    identity.gids[i] = gids[i];
  }
  identity.own_pid = pids.back();
  identity.groups = numbers<gid_t>(line_of(text, "Groups:"));
  return identity;
}

std::string parse_cgroup(std::string_view text) {
  std::string_view unified;
  std::string_view systemd;
  std::string_view first;
  while (!text.empty()) {
    std::string_view path = take_until(text, '\n');
    const std::string_view hierarchy = take_until(path, ':');
    const std::string_view controllers = take_until(path, ':');
    if (path.empty()) continue;
    if (hierarchy == "0") unified = path;
    if (controllers == "name=systemd") systemd = path;
    if (first.empty() && path != "/") first = path;
  }
  // With both versions mounted, the unified hierarchy may hold every process at its root.
  for (const std::string_view path : {unified, systemd, first}) {
    if (!path.empty() && path != "/") return std::string(path);
  }
  return "/";
}

Result<Identity> read_identity(int proc) {
  char buffer[8192];
  const auto status = read_small(proc, "status", buffer);
  if (!status) return errno_error("read status");
  auto identity = parse_status(*status);
  if (!identity) return Error{EPROTO, "read status"};
  if (const auto text = read_small(proc, "cgroup", buffer)) identity->cgroup = parse_cgroup(*text);
  if (const auto target = read_link(proc, "exe", buffer)) {
    identity->executable = *target;
    identity->executable_is_ours = same_file(proc, identity->executable);
  }
  return *identity;
}

Result<std::uint64_t> read_netns(int proc) {
  char buffer[64];
  const auto target = read_link(proc, "ns/net", buffer);
  if (!target) return errno_error("read ns/net");
  const auto inode = inode_of_link(*target, "net");
  if (!inode) return Error{EPROTO, "read ns/net"};
  return *inode;
}

}  // namespace sockdoc::monitor
