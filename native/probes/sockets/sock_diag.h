#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "probes/netlink.h"
#include "probes/sockets/socket_address.h"
#include "probes/sockets/tcp_info.h"

namespace sockdoc {

/** sk_state, net/tcp_states.h. A minisocket of a handshake (TCP_NEW_SYN_RECV) is shown as SYN_RECV. */
enum TcpState : std::uint8_t {
  kEstablished = 1,
  kSynSent,
  kSynReceived,
  kFinWait1,
  kFinWait2,
  kTimeWait,
  kClose,
  kCloseWait,
  kLastAck,
  kListen,
  kClosing,
  kNewSynReceived,
  kBoundInactive,
};
constexpr std::size_t kTcpStates = 14;

/** As in ss's filter; empty for a state that is not known here. */
std::string_view tcp_state_name(std::uint8_t state);

/** INET_DIAG_SKMEMINFO and UNIX_DIAG_MEMINFO: the order of linux/sock_diag.h. */
struct SocketMemory {
  std::array<std::uint32_t, 9> values{};
  bool present = false;

  [[nodiscard]] std::uint32_t drops() const { return values[8]; }
};

/** One TCP or UDP socket. Trivially copyable: rankings keep copies. */
struct InetSocket {
  std::uint8_t family = 0;
  std::uint8_t state = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint32_t interface = 0;  // bound to this one; 0 for none
  std::uint32_t inode = 0;      // 0 while no descriptor has it: not accepted yet, or closed
  std::uint32_t uid = 0;
  std::uint32_t receive_queue = 0;  // listening: connections waiting
  std::uint32_t send_queue = 0;     // listening: the backlog
  std::uint64_t cookie = 0;
  Address local{};
  Address remote{};
  SocketMemory memory;
  std::array<char, 16> congestion_control{};
  TcpInfo info;  // length 0 where the kernel gave none
};

/** One UNIX socket. `name` points into the message. */
struct UnixSocket {
  std::uint8_t type = 0;
  std::uint8_t state = 0;
  std::uint32_t inode = 0;
  std::string_view name;  // begins with a zero byte in the abstract namespace
  std::uint32_t receive_queue = 0;
  std::uint32_t send_queue = 0;
  bool has_queues = false;
  SocketMemory memory;
};

/** nullopt when the message is too short to be one. */
std::optional<InetSocket> parse_inet_socket(Bytes message);
std::optional<UnixSocket> parse_unix_socket(Bytes message);

using OnInetSocket = std::function<void(const InetSocket&)>;
using OnUnixSocket = std::function<void(const UnixSocket&)>;

/** Dumps the sockets of `family` (AF_INET, AF_INET6) and `protocol` (IPPROTO_TCP, IPPROTO_UDP), in all states. */
Result<NetlinkEnd> dump_inet(NetlinkSocket& socket, std::uint8_t family, std::uint8_t protocol,
                             const OnInetSocket& on_socket);
/**
 * Dumps the TCP sockets of both families in one pass over the kernel's table, which a dump of a family walks as a whole
 * too. By the request that was there before SOCK_DIAG_BY_FAMILY: it takes no family.
 */
Result<NetlinkEnd> dump_tcp(NetlinkSocket& socket, const OnInetSocket& on_socket);

/** Names one connection; `interface` as SO_BINDTOIFINDEX, 0 for none. IPv4 addresses are mapped. */
struct TcpTuple {
  std::uint8_t family = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint32_t interface = 0;
  Address local{};
  Address remote{};
};

/**
 * The TCP socket that has this tuple now, by one look into the kernel's table, with its tcp_info; nullopt when there is
 * none.
 */
Result<std::optional<InetSocket>> find_tcp(NetlinkSocket& socket, const TcpTuple& tuple);

Result<NetlinkEnd> dump_unix(NetlinkSocket& socket, const OnUnixSocket& on_socket);

}  // namespace sockdoc
