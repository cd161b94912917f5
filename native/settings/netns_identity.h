#pragma once

#include <string>

namespace sockdoc {

/**
 * {"id":inode number,"cookie":SO_NETNS_COOKIE} of the network namespace at `path` (empty: our own). The number of one
 * that is gone may come again, the cookie does not until the host is restarted; absent before Linux 5.14. Or {"errno"}.
 */
std::string read_netns_identity(const std::string& path);

}  // namespace sockdoc
