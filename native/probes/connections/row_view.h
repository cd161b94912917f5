#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "probes/connections/limited_by.h"
#include "probes/connections/transport.h"
#include "probes/sockets/descriptors.h"

namespace sockdoc {

/** One TCP socket of a reading, joined with its process and its other end. */
struct TableRow {
  static constexpr std::uint32_t kNone = ~0u;

  InetSocket socket;
  const ConnectionCounters* before = nullptr;         // at the reading before this one
  double began_ms = -1;                               // as in ConnectionCounters
  std::uint32_t netns = 0;                            // index into TableReading::netns
  std::uint32_t first_held = DescriptorTable::kNone;  // of all that refer to it
  std::uint32_t held = DescriptorTable::kNone;        // the descriptor that is shown
  std::uint32_t owners = 0;
  std::uint32_t peer = kNone;  // the row of the other end
  bool opened = false;         // since the reading before
  bool local = false;
};

/** A network namespace of a reading. */
struct TableNetns {
  std::string path;
  std::string label;  // empty: our own
  std::string id;
  double at_ms = 0;
  double window_ms = 0;  // 0 at the first reading
  bool read = false;
  bool listed = false;  // the dump of TCP sockets was answered
  std::map<std::uint32_t, std::string> interfaces;
  std::set<Address> addresses;
};

/** What the rows refer to. */
struct TableReading {
  std::vector<TableRow> rows;
  std::vector<TableNetns> netns;
  ProcessTable processes;
  DescriptorTable descriptors;
  std::vector<std::string> containers;  // by index of the process; empty for none
  Transports transports;

  /** False: that there are no rows says nothing. */
  bool listed() const {
    return netns.empty() || std::any_of(netns.begin(), netns.end(), [](const TableNetns& n) { return n.listed; });
  }
};

/** What is shown of a row, computed when it is asked for. */
class RowView {
 public:
  RowView(const TableReading& reading, const TableRow& row);

  [[nodiscard]] const TableRow& row() const { return row_; }
  [[nodiscard]] const InetSocket& socket() const { return row_.socket; }
  /** Empty for a listener: its tcp_info has its accept queue in fields of other names, and zeros. */
  [[nodiscard]] const TcpInfo& info() const;
  [[nodiscard]] const TableNetns& netns() const { return reading_.netns[row_.netns]; }
  [[nodiscard]] const Activity& activity() const;

  /** Null where the process is not known. */
  [[nodiscard]] const HeldSocket* held() const { return held_of(row_.held); }
  [[nodiscard]] const ProcessEntry* owner() const { return process_of(held()); }
  [[nodiscard]] const HeldSocket* peer_held() const;
  [[nodiscard]] const ProcessEntry* peer_owner() const { return process_of(peer_held()); }
  [[nodiscard]] std::string_view container() const;

  /** A counter as the kernel gives it; nullopt where it gives none. */
  template <typename T>
  [[nodiscard]] std::optional<double> number(T TcpInfoFields::*field) const {
    if (!info().has(field)) return std::nullopt;
    return static_cast<double>(info().fields.*field);
  }

  /** Absent until there was a sample. */
  [[nodiscard]] std::optional<double> rtt_us() const;
  [[nodiscard]] std::optional<double> rtt_var_us() const;
  [[nodiscard]] std::optional<double> min_rtt_us() const;
  /** Absent where no data can have moved yet. */
  [[nodiscard]] std::optional<double> idle_ms() const;
  [[nodiscard]] std::optional<double> age_ms() const;
  [[nodiscard]] std::optional<double> delivery_bps() const;
  [[nodiscard]] std::optional<double> drops() const;
  [[nodiscard]] Transport transport() const {
    return transport_of(reading_.transports, socket().cookie, socket().uid, owner());
  }
  /** Absent where shared memory carries the bytes: what the kernel measures then is its own idleness. */
  [[nodiscard]] std::optional<LimitedBy> limit() const {
    return shared() ? std::nullopt : limited_by(socket(), activity());
  }

  [[nodiscard]] bool has_rates() const;
  /** Of what moved in the window, per second; nullopt without a window. */
  [[nodiscard]] std::optional<double> per_second(std::uint64_t moved) const;
  [[nodiscard]] std::optional<double> send_bps() const;
  [[nodiscard]] std::optional<double> receive_bps() const;
  [[nodiscard]] std::optional<double> retransmits_per_s() const;

 private:
  [[nodiscard]] bool shared() const {
    const Transports::End* end = reading_.transports.find(socket().cookie, socket().uid);
    return end != nullptr && end->shared;
  }
  [[nodiscard]] const HeldSocket* held_of(std::uint32_t held) const;
  [[nodiscard]] const ProcessEntry* process_of(const HeldSocket* held) const;

  const TableReading& reading_;
  const TableRow& row_;
  mutable std::optional<Activity> activity_;  // most rows are passed over without it
};

/** The sum of what is known of two; nullopt when nothing is. */
inline std::optional<double> sum_of(std::optional<double> a, std::optional<double> b) {
  if (!a && !b) return std::nullopt;
  return a.value_or(0) + b.value_or(0);
}

}  // namespace sockdoc
