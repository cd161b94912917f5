#pragma once

#include <string>
#include <vector>

namespace sockdoc {

struct DescriptorsRequest {
  /** Only these processes; empty: all that may be seen. */
  std::vector<int> pids;
  /** Also every descriptor of the first of them, with its other end. */
  bool detail = false;
  /** Read epoll sets of large processes too, which holds these up. */
  bool all_watches = false;
};

/**
 * What processes have open, by kind; sockets by protocol and state, in every network namespace that may be entered.
 * Writes {"monotonicMs":…,"processes":[…],"denied":[PID…],"descriptors":[…],"gaps":[…]}: processes as
 * `DescriptorSource` of src/services/views/descriptors.ts, descriptors as `DescriptorDetail`.
 */
std::string read_descriptors(const DescriptorsRequest& request);

}  // namespace sockdoc
