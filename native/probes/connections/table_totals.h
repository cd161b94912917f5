#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "probes/connections/row_view.h"

namespace sockdoc {

/** What moved over the connections of the host, or of one process; absent without a window. */
struct Traffic {
  double send_bps = 0;
  double receive_bps = 0;
  double retransmits_per_s = 0;
  double data_segments_per_s = 0;  // both ways
  bool windowed = false;

  void add(const RowView& view);
  /** Appends its fields to an open object. */
  void write(Json& json) const;
};

/** Connections that the same thing carries, for the same reason. */
struct Carried {
  std::uint64_t connections = 0;
  double send_bps = 0;
  double receive_bps = 0;
};

/** Sums over all rows of a reading. A socket that several processes hold counts for each of them, and once in all. */
struct TableTotals {
  std::array<std::uint64_t, kTcpStates> states{};
  Traffic all;
  std::vector<Traffic> of_process;               // by index
  std::vector<std::uint32_t> shared_of_process;  // connections by shared memory
  // By transport and the reason for it: connections that a process has, or that wait for one.
  std::map<std::pair<std::string_view, std::string_view>, Carried> carried;
  std::uint64_t ownerless = 0;  // with a descriptor somewhere, and nobody seen who holds it

  /** Also counts the sockets into their processes. */
  static TableTotals of(TableReading& reading);
  /** Appends "transports" to an open object. */
  void write_transports(Json& json) const;

 private:
  void add_carried(const RowView& view);
};

}  // namespace sockdoc
