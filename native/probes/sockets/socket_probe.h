#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "probes/sockets/netns_sockets.h"
#include "probes/sockets/select_sampler.h"

namespace sockdoc {

/** SocketsRequest in src/probes/native.ts. */
struct SocketsRequest {
  std::vector<std::string> netns;  // paths; "" for our own
  std::vector<int> pids;
  std::vector<int> self_pids;
  bool rows = true;
  bool sample_select = false;
};

/**
 * Reads the sockets of network namespaces joined with the processes that hold them: one pass over /proc/PID/fd, one
 * sock_diag dump per namespace, address family and protocol. Keeps the counters of a reading to compare the next one
 * with. Memory is some 150 bytes per socket beside the rows of fixed number.
 */
class SocketProbe {
 public:
  /** One SocketsAnswer as JSON. Calls wait for each other. */
  std::string read(const SocketsRequest& request);

  /** Ends the sampling thread. */
  void close();

 private:
  std::mutex reading_;
  std::map<std::string, std::shared_ptr<ConnectionBase>> bases_;  // by namespace id
  std::mutex sampling_;                                           // close() must not wait for a reading
  SelectSampler sampler_;
  bool sampled_ = false;
};

}  // namespace sockdoc
