#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sockdoc::monitor {

/** Who a process is now, as its /proc says: the real, effective and saved ids, which a process may change at any time.
 */
struct Identity {
  std::array<uid_t, 3> uids{};
  std::array<gid_t, 3> gids{};
  std::vector<gid_t> groups;
  int own_pid = 0;  // in its own process namespace
  std::string cgroup;
  std::string executable;           // as the process's own mount namespace calls it; empty where it may not be read
  bool executable_is_ours = false;  // that path is the same file for the monitor

  [[nodiscard]] uid_t uid() const { return uids[1]; }
  [[nodiscard]] bool one_user() const { return uids[0] == uids[1] && uids[1] == uids[2]; }
};

/** All ids of both are one user's: neither can do what the other cannot. */
[[nodiscard]] bool same_user(const Identity& a, const Identity& b);

/** The ids and the pid of /proc/PID/status; nullopt when a line is missing. */
std::optional<Identity> parse_status(std::string_view text);

/** The path of /proc/PID/cgroup that stands for the process: of version 2, else of systemd's or the first hierarchy. */
std::string parse_cgroup(std::string_view text);

/** Reads all of it. `proc` is the folder /proc/PID, opened before: it stays that process's when the pid is used again.
 */
Result<Identity> read_identity(int proc);

/** The inode of the process's network namespace. */
Result<std::uint64_t> read_netns(int proc);

}  // namespace sockdoc::monitor
