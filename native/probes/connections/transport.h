#pragma once

#include <string_view>

#include "probes/sockets/process_table.h"

namespace sockdoc {

/** How the bytes of a connection travel, and why it is the kernel's way where it is. */
struct Transport {
  std::string_view name;
  std::string_view reason;
};

/** The one place that decides it. `owner` is null where the process is not known. */
inline Transport transport_of(const ProcessEntry* /*owner*/) { return {"kernel", "no libsd in the process"}; }

}  // namespace sockdoc
