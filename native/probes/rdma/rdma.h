#pragma once

#include <string>

namespace sockdoc {

/**
 * What RDMA netlink and libibverbs say: {"netlink":bool, "devices":[{"name","driver"?,"ports":[{"port","interface"?}],
 * "resources"?}], "verbs":{…}, "gaps":[…]}. Looks no further than whether ib_core is loaded when it is not: asking
 * would load it.
 */
std::string read_rdma();

}  // namespace sockdoc
