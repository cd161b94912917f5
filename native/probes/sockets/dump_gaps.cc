#include "probes/sockets/dump_gaps.h"

#include <cerrno>

namespace sockdoc {

void note_unread_sockets(Gaps& gaps, const std::string& what, const Error& error) {
  const bool absent = error.code == ENOENT || error.code == EPROTONOSUPPORT || error.code == EAFNOSUPPORT;
  if (absent) {
    gaps.add({"sockets", what, "not in this kernel (inet_diag, tcp_diag, udp_diag or unix_diag)", ""});
  } else {
    gaps.add_errno("sockets", what, error.code, "CAP_NET_ADMIN");
  }
}

bool dumped_whole(Gaps& gaps, const char* what, const Result<NetlinkEnd>& dumped) {
  if (!dumped) {
    note_unread_sockets(gaps, what, dumped.error());
  } else if (dumped->interrupted) {
    gaps.add({"sockets", what, "the table changed while it was read: a few may be missing", ""});
  } else {
    return true;
  }
  return false;
}

}  // namespace sockdoc
