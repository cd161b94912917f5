#include "probes/events/destroy_message.h"

#include <netinet/in.h>

#include "probes/sockets/sock_diag.h"

namespace sockdoc {
namespace {

/**
 * Every socket is in TCP_CLOSE by now, and a reset by SO_LINGER 0 has wiped the remote port and all counters. What is
 * set when a connection is established, on either side, and never again cleared is the space of the receive queue
 * (tcp_init_buffer_space).
 */
bool was_connected(const TcpInfo& info) { return info.has(&TcpInfoFields::rcv_space) && info.fields.rcv_space != 0; }

/** A FIN is counted as a byte received; without a data segment it is all that there was. */
std::uint64_t payload_received(const TcpInfo& info) {
  if (info.has(&TcpInfoFields::data_segs_in) && info.fields.data_segs_in == 0) return 0;
  return info.fields.bytes_received;
}

}  // namespace

std::optional<EndedSocket> parse_ended_socket(Bytes message) {
  const auto socket = parse_inet_socket(message);
  if (!socket || !was_connected(socket->info)) return std::nullopt;
  if (socket->family != AF_INET && socket->family != AF_INET6) return std::nullopt;
  return EndedSocket{socket->info.sent(), payload_received(socket->info), socket->local_port, socket->remote_port};
}

}  // namespace sockdoc
