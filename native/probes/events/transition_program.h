#pragma once

#include <compare>
#include <cstdint>

#include "base/result.h"
#include "probes/bpf/map.h"
#include "probes/bpf/program.h"

namespace sockdoc {

struct TracedProcess {
  std::uint32_t pid = 0;
  char comm[16] = {};
};

/** Value of `records`, by the socket's address: which end it is, and whose where a process connects. */
struct ConnectionRecord {
  std::uint32_t side = 0;  // Side
  TracedProcess process;
};

/** Counters of `ended` and of `namespaces`, which begin alike. */
struct TransitionSums {
  std::uint64_t count = 0;
  std::uint64_t unseen = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

/** Key and value of `ended`. */
struct TransitionKey {
  std::uint32_t netns = 0;
  std::uint32_t pid = 0;
  std::uint16_t port = 0;
  std::uint16_t side = 0;  // Side, kConnecting or kAccepting
  std::uint32_t padding = 0;

  auto operator<=>(const TransitionKey&) const = default;
};
struct TransitionGroup {
  TransitionSums sums;
  char comm[16] = {};
};

/** Value of `namespaces`, by inode number: what found no room in `ended`, and attempts to connect that failed. */
struct NetnsSums {
  TransitionSums rest;
  std::uint64_t failed = 0;
};

/** Key of `listeners`, whose values are a TracedProcess: pid 0 where it listened before us. */
struct ListenerKey {
  std::uint32_t netns = 0;
  std::uint16_t port = 0;
  std::uint16_t padding = 0;
};

/** What the program shares with us. */
struct TransitionMaps {
  static Result<TransitionMaps> create();

  bpf::Map records;     // LRU: of very many connections the oldest are forgotten, not the newest left out
  bpf::Map ended;       // cumulative
  bpf::Map namespaces;  // those that are watched
  bpf::Map listeners;   // those of the beginning, and all that came; LRU
};

/**
 * BPF at the tracepoint sock:inet_sock_set_state, which the kernel passes at each change of a TCP socket's state:
 *
 *  - CLOSE → SYN_SENT is in the context of the process that connects: it is noted, by the address of the socket.
 *  - → LISTEN is in the context of the process that listens: it is noted, by the port.
 *  - SYN_RECV → ESTABLISHED comes from a packet, when any process may be interrupted: only the side is noted.
 *  - → FIN_WAIT1 and → LAST_ACK come from close() or shutdown(): who does it is noted for a socket older than us.
 *  - a state of a connection → CLOSE is its end, once for each: it is counted by namespace, side, process and port.
 *    (What remains of it in TIME_WAIT is no full socket and passes no tracepoint.) A socket gets its cookie when it is
 *    first shown to somebody: without one no reading of sock_diag, ours or another program's, ever showed it.
 *
 * The kernel leaves a program out while it runs on that CPU already: when a packet interrupts it, and that happens for
 * one in a thousand. So there is a second one, which runs after the first and does what that one has left undone: a
 * socket that has ended and still has a record.
 */
struct TransitionPrograms {
  /** EOPNOTSUPP where the kernel's types lack what is needed (5.11 has it all), EPERM without CAP_BPF and CAP_PERFMON.
   */
  static Result<TransitionPrograms> attach(const TransitionMaps& maps);

  bpf::Attached first;
  bpf::Attached second;
};

}  // namespace sockdoc
