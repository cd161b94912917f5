#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/gaps.h"
#include "probes/connections/row_view.h"

namespace sockdoc {

/** The counters of a namespace at the two readings before. */
struct TableBases {
  std::shared_ptr<ConnectionBase> last;
  std::shared_ptr<ConnectionBase> before;
};

/** Sockets that are only counted for their processes. */
struct OtherSockets {
  std::vector<std::uint32_t> udp;
  std::vector<std::uint32_t> unix_sockets;
};

/**
 * Visits the namespace `reading.netns[index]` and appends its TCP sockets to the rows, joined with their counters at
 * the reading before. `others`: also list the UDP and UNIX sockets there; null to leave them out. Returns the counters
 * for the next reading.
 */
std::shared_ptr<ConnectionBase> read_table_netns(TableReading& reading, std::uint32_t index, const TableBases& bases,
                                                 OtherSockets* others, Gaps& gaps);

}  // namespace sockdoc
