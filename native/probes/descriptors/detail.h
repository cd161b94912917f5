#pragma once

#include "base/json.h"
#include "probes/descriptors/peers.h"

namespace sockdoc {

/** Everything about the descriptors of one process. */
struct DetailRequest {
  std::uint32_t process = 0;
  /** Read epoll sets whatever they hold; otherwise not in a process with more than kMaxWatched descriptors. */
  bool all_watches = false;
};

/** Writes the array of `DescriptorDetail` rows as a value, in the order of descriptors. */
void write_detail(Json& json, const DetailRequest& request, const ProcessTable& processes,
                  const DescriptorCensus& census, const SocketFacts& facts, Gaps& gaps);

}  // namespace sockdoc
