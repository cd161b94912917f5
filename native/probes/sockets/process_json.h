#pragma once

#include <optional>
#include <vector>

#include "base/json.h"
#include "probes/sockets/descriptor_flags.h"
#include "probes/sockets/process_details.h"
#include "probes/sockets/threads.h"

namespace sockdoc {

/** A process with everything that is written of it. */
struct ProcessRow {
  const ProcessEntry& process;
  ProcessDetails details;
  ThreadSums sums;
  std::optional<int> inheritable;
  std::optional<std::vector<EpollRow>> epoll_sets;
};

/** Writes a Process (src/model/snapshot/processes.ts). */
void write_process(Json& json, const ProcessRow& row);

/** Writes a Thread. */
void write_thread(Json& json, const ThreadRow& row);

}  // namespace sockdoc
