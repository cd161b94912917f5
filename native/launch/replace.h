#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sockdoc::launch {

/** What a process was given by the one that started it, and Node changes at its own start. */
struct Inherited {
  std::uint64_t blocked = 0;  // signals, as in /proc/PID/status: bit N − 1 is signal N
  std::uint64_t ignored = 0;
  std::optional<std::uint64_t> most_files;        // the soft RLIMIT_NOFILE
  std::optional<std::vector<int>> descriptors;    // those without close-on-exec
  std::vector<int> open_at_start;                 // where that is unknown: Node's own and the inherited ones
  std::vector<std::pair<int, bool>> nonblocking;  // descriptors whose O_NONBLOCK is known
};

struct Replacement {
  std::string path;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // as it was given to us
  std::vector<std::string> drop;         // names of variables
  std::vector<std::string> set;          // NAME=VALUE
  Inherited inherited;
};

/** What bin/sockdoc noted in SOCKDOC_INHERITED: "PID BLOCKED IGNORED FILES DESCRIPTORS…", the signals in hexadecimal.
 */
[[nodiscard]] std::optional<Inherited> parse_inherited(std::string_view note, int pid);

/**
 * Becomes another program: this process, with its number, its parent, its terminal. Signals, limits and descriptors
 * are first set back to what was inherited. Comes back only with the reason why it could not be; the
 * process then is as the other program would have found it.
 */
[[nodiscard]] Error replace_process(const Replacement& replacement);

}  // namespace sockdoc::launch
