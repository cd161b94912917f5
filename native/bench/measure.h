#pragma once

#include <cstdint>

#include "base/json.h"
#include "base/result.h"
#include "bench/clock.h"
#include "bench/stream.h"

namespace sockdoc::bench {

/** One measurement, over a connection of its own, or over one connection after the other. */
struct Order {
  enum class What { round_trip, stream, connections, alone, between } what = What::round_trip;
  std::uint64_t bytes = 0;  // of a message
  double ms = 0;
  std::uint64_t trips = 0;  // of a connection, where there are many
  double at_ms = 0;         // CLOCK_MONOTONIC, when many measure the same time
};

/**
 * Connects, exchanges messages until the connection is warm (under libsd: until it is upgraded, for `upgrade_ms` at
 * most), measures, and gives what this came to, with the CPU time that it took here; "upgraded" is absent without
 * libsd. Times are nanoseconds.
 */
[[nodiscard]] Result<Json> measure(const Address& address, const Order& order, const Clock& clock, double& upgrade_ms);

/** Orders from stdin, "rtt BYTES MS", "stream BYTES MS", "alone BYTES MS", "connections BYTES MS TRIPS" or
 * "between BYTES MS AT" a line, each answered on stdout, until it ends. */
[[nodiscard]] Status measure_on_demand(const Address& address);

}  // namespace sockdoc::bench
