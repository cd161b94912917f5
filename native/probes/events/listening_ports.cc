#include "probes/events/listening_ports.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include "probes/sockets/sock_diag.h"

namespace sockdoc {

Result<std::unique_ptr<PortSet>> listening_ports(NetlinkSocket& socket) {
  auto ports = std::make_unique<PortSet>();
  for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    inet_diag_req_v2 request{};
    request.sdiag_family = family;
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = 1u << kListen;
    NetlinkRequest dump(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    const auto dumped = socket.request(dump.append(request), [&](std::uint16_t, Bytes payload) {
      if (const auto listener = parse_inet_socket(payload)) ports->set(listener->local_port);
    });
    if (!dumped) return dumped.error();
  }
  return ports;
}

}  // namespace sockdoc
