#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/netlink.h"

namespace sockdoc {

/** What a driver can do with XDP programs, by index of the link. */
using XdpFeatures = std::map<int, std::vector<std::string>>;

/** From the netdev family (Linux 6.3, Documentation/netlink/specs/netdev.yaml); ENOENT on older kernels. */
Result<XdpFeatures> read_xdp_features();

/** One message of NETDEV_CMD_DEV_GET. */
void parse_xdp_features(const Attributes& message, XdpFeatures& features);

}  // namespace sockdoc
