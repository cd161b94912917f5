#include "probes/sockets/sock_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>

#include <algorithm>

namespace sockdoc {
namespace {

/** TCP_BOUND_INACTIVE (Linux 6.8) is bit 13; kernels that do not know a state ignore its bit. */
constexpr std::uint32_t kAllStates = (1u << kTcpStates) - 1;

constexpr std::uint8_t kMemory = 1u << (INET_DIAG_SKMEMINFO - 1);
constexpr std::uint8_t kInfoAndCongestion = 1u << (INET_DIAG_INFO - 1) | 1u << (INET_DIAG_CONG - 1);

SocketMemory parse_memory(Bytes payload) {
  SocketMemory memory;
  memory.values = read_prefix<std::array<std::uint32_t, 9>>(payload);
  memory.present = payload.size() >= sizeof memory.values;
  return memory;
}

void parse_inet_attribute(const Attribute& attribute, InetSocket& socket) {
  switch (attribute.type) {
    case INET_DIAG_INFO:
      socket.info = TcpInfo(attribute.payload);
      break;
    case INET_DIAG_SKMEMINFO:
      socket.memory = parse_memory(attribute.payload);
      break;
    case INET_DIAG_CONG:
      socket.congestion_control = read_prefix<std::array<char, 16>>(attribute.payload);
      socket.congestion_control.back() = '\0';
      break;
    default:
      break;
  }
}

}  // namespace

std::string_view tcp_state_name(std::uint8_t state) {
  static constexpr std::array<std::string_view, kTcpStates> kNames = {
      "",      "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2",   "time-wait",
      "close", "close-wait",  "last-ack", "listen",   "closing",    "new-syn-recv", "bound-inactive"};
  return state < kNames.size() ? kNames[state] : std::string_view();
}

std::optional<InetSocket> parse_inet_socket(Bytes message) {
  if (message.size() < sizeof(inet_diag_msg)) return std::nullopt;
  const auto head = read_prefix<inet_diag_msg>(message);
  InetSocket socket;
  socket.family = head.idiag_family;
  socket.state = head.idiag_state;
  socket.local_port = ntohs(head.id.idiag_sport);
  socket.remote_port = ntohs(head.id.idiag_dport);
  socket.interface = head.id.idiag_if;
  socket.inode = head.idiag_inode;
  socket.uid = head.idiag_uid;
  socket.receive_queue = head.idiag_rqueue;
  socket.send_queue = head.idiag_wqueue;
  socket.cookie = head.id.idiag_cookie[0] | static_cast<std::uint64_t>(head.id.idiag_cookie[1]) << 32;
  socket.local = address_of(head.idiag_family, head.id.idiag_src);
  socket.remote = address_of(head.idiag_family, head.id.idiag_dst);
  for (const Attribute& attribute : Attributes(after(message, sizeof head))) parse_inet_attribute(attribute, socket);
  return socket;
}

std::optional<UnixSocket> parse_unix_socket(Bytes message) {
  if (message.size() < sizeof(unix_diag_msg)) return std::nullopt;
  const auto head = read_prefix<unix_diag_msg>(message);
  UnixSocket socket;
  socket.type = head.udiag_type;
  socket.state = head.udiag_state;
  socket.inode = head.udiag_ino;
  for (const auto& [type, payload] : Attributes(after(message, sizeof head))) {
    if (type == UNIX_DIAG_NAME) {
      socket.name = {reinterpret_cast<const char*>(payload.data()), payload.size()};
    } else if (type == UNIX_DIAG_RQLEN && payload.size() >= sizeof(unix_diag_rqlen)) {
      const auto queues = read_prefix<unix_diag_rqlen>(payload);
      socket.receive_queue = queues.udiag_rqueue;
      socket.send_queue = queues.udiag_wqueue;
      socket.has_queues = true;
    } else if (type == UNIX_DIAG_MEMINFO) {
      socket.memory = parse_memory(payload);
    }
  }
  return socket;
}

Result<NetlinkEnd> dump_inet(NetlinkSocket& socket, std::uint8_t family, std::uint8_t protocol,
                             const OnInetSocket& on_socket) {
  inet_diag_req_v2 request{};
  request.sdiag_family = family;
  request.sdiag_protocol = protocol;
  request.idiag_states = kAllStates;
  request.idiag_ext = kMemory;
  if (protocol == IPPROTO_TCP) request.idiag_ext |= kInfoAndCongestion;
  NetlinkRequest dump(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
  return socket.request(dump.append(request), [&](std::uint16_t, Bytes payload) {
    if (const auto parsed = parse_inet_socket(payload)) on_socket(*parsed);
  });
}

Result<NetlinkEnd> dump_tcp(NetlinkSocket& socket, const OnInetSocket& on_socket) {
  inet_diag_req request{};
  request.idiag_ext = kMemory | kInfoAndCongestion;
  request.idiag_states = kAllStates;
  NetlinkRequest dump(TCPDIAG_GETSOCK, NLM_F_DUMP);
  return socket.request(dump.append(request), [&](std::uint16_t, Bytes payload) {
    if (const auto parsed = parse_inet_socket(payload)) on_socket(*parsed);
  });
}

Result<std::optional<InetSocket>> find_tcp(NetlinkSocket& socket, const TcpTuple& tuple) {
  inet_diag_req_v2 request{};
  request.sdiag_family = tuple.family;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = kAllStates;
  request.idiag_ext = 1u << (INET_DIAG_INFO - 1);
  request.id.idiag_sport = htons(tuple.local_port);
  request.id.idiag_dport = htons(tuple.remote_port);
  request.id.idiag_if = tuple.interface;
  const std::size_t skip = tuple.family == AF_INET ? 12 : 0;
  std::memcpy(request.id.idiag_src, tuple.local.data() + skip, tuple.local.size() - skip);
  std::memcpy(request.id.idiag_dst, tuple.remote.data() + skip, tuple.remote.size() - skip);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  std::optional<InetSocket> found;
  NetlinkRequest lookup(SOCK_DIAG_BY_FAMILY, 0);
  const auto end = socket.request(lookup.append(request), [&](std::uint16_t, Bytes payload) {
    if (const auto parsed = parse_inet_socket(payload)) found = *parsed;
  });
  if (!end && end.error().code == ENOENT) return std::optional<InetSocket>();
  if (!end) return end.error();
  // Where no connection has the tuple, the kernel answers with a listener of the port.
  if (found && found->state == kListen) found.reset();
  return found;
}

Result<NetlinkEnd> dump_unix(NetlinkSocket& socket, const OnUnixSocket& on_socket) {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0u;
  request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN | UDIAG_SHOW_MEMINFO;
  NetlinkRequest dump(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
  return socket.request(dump.append(request), [&](std::uint16_t, Bytes payload) {
    if (const auto parsed = parse_unix_socket(payload)) on_socket(*parsed);
  });
}

}  // namespace sockdoc
