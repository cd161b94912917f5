#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "monitor/identity.h"
#include "monitor/namespaces.h"

namespace sockdoc::monitor {

/**
 * A process that has registered. It stays known until it ends, also while it executes another program; on an errand
 * (abi::kHelloErrand) it is another beside that one, until its link closes.
 */
struct Process {
  std::uint64_t serial = 0;  // never the same twice
  int pid = 0;
  bool errand = false;
  std::uint64_t start_ticks = 0;
  std::string comm;
  Fd proc;    // /proc/PID: fails once the process is gone, also when its number is used again
  Fd pidfd;   // readable at its end
  Fd notice;  // memfd of an abi::Notice
  std::uint64_t messages = 0;
  std::int64_t attached_ns = 0;  // when it said hello with a libsd that came anew
  std::shared_ptr<Namespace> netns;
  Identity identity;                                       // as it was when it was last looked at
  std::set<std::pair<std::uint64_t, std::uint64_t>> ends;  // (namespace, cookie) of the sockets it holds
  std::pair<std::uint64_t, std::uint64_t> swept;           // the last of them that was looked at again
  std::uint64_t slabs = 0;
  std::uint64_t slab_bytes = 0;
};

/** Opens what is needed of a process; ESRCH when it started at another time than it says, so is another one. */
Result<std::unique_ptr<Process>> open_process(int pid, int own_pid, std::uint64_t start_ticks);

/** Its end may be known before epoll_wait has told of it; of an errand, before its link has. */
[[nodiscard]] bool ended(const Process& process);

/** Raises the count in its notice page. */
void count_message(Process& process);

}  // namespace sockdoc::monitor
