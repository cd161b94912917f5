#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "base/json.h"
#include "probes/connections/row_view.h"

namespace sockdoc {

/** What moved one way between two processes, per second of the window. */
struct PairFlow {
  double bytes = 0;
  double segments = 0;  // with data
};

/** Two processes of this host, or one that talks to itself, and their connections. */
struct ProcessPair {
  std::uint32_t client = 0;  // index in the ProcessTable
  std::uint32_t server = 0;
  std::set<std::uint16_t> ports;      // of the server's ends
  std::uint64_t connections = 0;      // whose both ends have a process
  std::uint64_t by_memory = 0;        // of them: shared memory carries the client's end
  std::uint64_t several_holders = 0;  // of them: more than one process holds an end
  std::uint64_t windowed = 0;         // of them: the flows hold what they moved
  PairFlow to_server;
  PairFlow to_client;
  std::uint32_t mss = 0;  // the largest of their segment sizes; 0: none known
  double rtt_us = 0;      // the sum of those that are known
  std::uint64_t timed = 0;
};

/**
 * The pairs of processes that have connections with each other, those with the most traffic first; after join_peers()
 * and TableTotals::of(). The server is whoever a listener of its namespace can have accepted for, else who has the
 * lower port. Connections whose one end has no visible process are left out.
 */
std::vector<ProcessPair> process_pairs(const TableReading& reading);

/** Appends {"client", "server" (pids), "ports", "connections", …}: ProcessPair in src/probes/connections.ts. */
void write_pair(Json& json, const ProcessPair& pair, const TableReading& reading);

}  // namespace sockdoc
