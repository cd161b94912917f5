#pragma once

#include <string>

#include "base/result.h"

namespace sockdoc {

/** One setting of one link, by the names of the reading: "rings.rx", "coalescing.adaptiveRx", "features.rx-gro". */
struct EthtoolSetRequest {
  /** Network namespace to enter, empty for our own. */
  std::string netns;
  std::string link;
  std::string field;
  /** A number, or 0 and 1 for off and on. */
  std::uint32_t value = 0;
};

/**
 * Sets it by ethtool netlink and leaves all others as they are (Linux 5.8; ENOENT before). A driver may round, and may
 * change other settings along with it: read them again. Answers as write_answer(): EOPNOTSUPP where the driver does not
 * have it, EINVAL for a value that it does not take.
 */
std::string set_ethtool(const EthtoolSetRequest& request);

}  // namespace sockdoc
