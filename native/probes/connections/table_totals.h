#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/json.h"
#include "probes/connections/row_view.h"

namespace sockdoc {

/** What moved over the connections of the host, or of one process; absent without a window. */
struct Traffic {
  double send_bps = 0;
  double receive_bps = 0;
  double retransmits_per_s = 0;
  bool windowed = false;

  void add(const RowView& view);
  /** Appends its fields to an open object. */
  void write(Json& json) const;
};

/** Sums over all rows of a reading. A socket that several processes hold counts for each of them, and once in all. */
struct TableTotals {
  std::array<std::uint64_t, kTcpStates> states{};
  Traffic all;
  std::vector<Traffic> of_process;  // by index
  std::uint64_t ownerless = 0;      // with a descriptor somewhere, and nobody seen who holds it

  /** Also counts the sockets into their processes. */
  static TableTotals of(TableReading& reading);
};

}  // namespace sockdoc
