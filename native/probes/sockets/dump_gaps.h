#pragma once

#include <string>

#include "base/gaps.h"
#include "probes/netlink.h"

namespace sockdoc {

/** Sockets that could not be asked for: `what` says which. */
void note_unread_sockets(Gaps& gaps, const std::string& what, const Error& error);

/** Whether a dump of sock_diag gave all that there was; otherwise it is a gap. */
[[nodiscard]] bool dumped_whole(Gaps& gaps, const char* what, const Result<NetlinkEnd>& dumped);

}  // namespace sockdoc
