#pragma once

#include <cstdint>
#include <vector>

#include "probes/sockets/sock_diag.h"

namespace sockdoc {

/** The counters of a socket at one moment, by its cookie, which no other socket of this boot has. */
struct ConnectionCounters {
  std::uint64_t cookie = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t busy_us = 0;
  std::uint64_t receive_window_limited_us = 0;
  std::uint64_t send_buffer_limited_us = 0;
  std::uint32_t segments_out = 0;
  std::uint32_t segments_in = 0;
  std::uint32_t data_segments_out = 0;
  std::uint32_t data_segments_in = 0;
  std::uint32_t retransmits = 0;
  std::uint32_t drops = 0;
  std::uint32_t cwnd = 0;
  std::uint64_t retransmitted = 0;  // bytes of `sent`; 0 before Linux 4.19, where `sent` has none
  double began_ms = -1;             // CLOCK_MONOTONIC; negative where the beginning was not seen
};

ConnectionCounters counters_of(const InetSocket& socket);

/** The counters of all sockets of a namespace at a reading, to subtract them at the next. */
class ConnectionBase {
 public:
  void add(const ConnectionCounters& counters);
  /** Call once after the last add(). `complete`: no socket can have been missed. */
  void finish(double at_ms, bool complete);

  /**
   * Which calls of add() gave a socket that was there already: a dump takes the table in pieces, and shows a socket
   * again that has moved on to another state, or within its chain, meanwhile.
   */
  [[nodiscard]] const std::vector<std::uint32_t>& repeated() const { return repeated_; }

  void reserve(std::size_t sockets) { counters_.reserve(sockets); }
  [[nodiscard]] std::size_t size() const { return counters_.size(); }
  [[nodiscard]] const ConnectionCounters* find(std::uint64_t cookie) const;
  [[nodiscard]] double at_ms() const { return at_ms_; }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  std::vector<ConnectionCounters> counters_;
  std::vector<std::uint32_t> slots_;
  std::vector<std::uint32_t> repeated_;
  double at_ms_ = 0;
  bool complete_ = false;
};

/** What a connection did: within the window where there is one (`windowed`), else since it began. */
struct Activity {
  ConnectionCounters moved;
  double ms = 0;
  bool windowed = false;
  bool opened = false;           // it began within the window
  std::uint32_t cwnd_first = 0;  // 0 when it was not there at the first reading
};

/** `before` are its counters `ms` ago, null where it was not there; `opened`: then it began since. */
Activity activity_since(const InetSocket& socket, const ConnectionCounters* before, bool opened, double ms);

/** `base` is the reading before this one, null at the first. */
Activity activity_of(const InetSocket& socket, const ConnectionBase* base, double now_ms);

}  // namespace sockdoc
