#pragma once

#include "probes/connections/row_view.h"

namespace sockdoc {

/**
 * Finds the other end of each connection among the rows and sets `peer` and `local`. The two ends are sockets whose
 * addresses and ports are each other's swapped: in one namespace, or, away from loopback, in two where that is
 * unambiguous. A connection to loopback or to an address of its own namespace is local also when its other end is not
 * among the rows.
 */
void join_peers(TableReading& reading);

}  // namespace sockdoc
