#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/listeners.h"
#include "probes/sockets/port_use.h"
#include "probes/sockets/ranking.h"

namespace sockdoc {

struct UdpRow {
  InetSocket socket;
  std::optional<std::uint32_t> window_drops;
};

struct UnixRow {
  UnixSocket socket;  // its `name` is not valid any more: see below
  std::string name;
  [[nodiscard]] bool listening() const;
};

/** What is wanted of a namespace. */
struct NetnsRequest {
  std::string path;  // as in_netns takes it
  bool rows = true;
};

/** The sockets of one network namespace at one moment, as far as they are kept. */
struct NetnsSockets {
  std::string path;
  std::string id;
  double at_ms = 0;
  bool read = false;

  std::array<std::uint64_t, kTcpStates> tcp{};
  std::uint64_t udp_total = 0;
  std::uint64_t unix_total = 0;
  std::uint64_t ownerless_listeners = 0;  // whose process was not seen
  std::vector<ConnectionLink> links;
  std::vector<ListenerRow> listeners;
  std::vector<ConnectionRow> connections;
  std::array<std::uint64_t, kReasons> picked_counts{};
  std::vector<UdpRow> udp;
  std::vector<UnixRow> unix_sockets;
  std::vector<PortUseRow> ports;
  std::map<std::uint32_t, std::string> interfaces;
  PortRange port_range;
  std::shared_ptr<ConnectionBase> base;  // for the next reading
};

/**
 * Visits a namespace and reads its sockets; counts them into the processes that hold them. `base` is the reading
 * before this one of the same namespace, or null.
 */
NetnsSockets read_netns_sockets(const NetnsRequest& request, ProcessTable& processes,
                                const DescriptorTable& descriptors, const ConnectionBase* base, Gaps& gaps);

/** CLOCK_MONOTONIC in milliseconds. */
double monotonic_ms();

}  // namespace sockdoc
