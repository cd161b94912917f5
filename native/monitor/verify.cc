#include "monitor/verify.h"

#include <sys/socket.h>

#include <cstdio>

#include "base/procfs.h"

namespace sockdoc::monitor {
namespace {

using abi::Reason;

/** The SYN and the FIN count as a byte each in some of the counters. */
constexpr std::uint64_t kFlagBytes = 2;

Address address_of_endpoint(const abi::Endpoint& endpoint) {
  Address address;
  std::copy(std::begin(endpoint.address), std::end(endpoint.address), address.begin());
  return address;
}

Reason descriptor_is(const Process& process, const abi::SocketClaim& claim) {
  char path[32];
  char target[64];
  std::snprintf(path, sizeof path, "fd/%d", claim.fd);
  const auto link = read_link(process.proc.get(), path, target);
  if (!link) return errno == ENOENT ? Reason::not_this_descriptor : Reason::proc_unreadable;
  const auto inode = inode_of_link(*link, "socket");
  return inode && *inode == claim.inode ? Reason::none : Reason::not_this_descriptor;
}

Reason enter_namespace(Process& process, Namespaces& namespaces) {
  const auto id = read_netns(process.proc.get());
  if (!id) return Reason::proc_unreadable;
  if (process.netns && process.netns->id == *id) return Reason::none;
  auto entered = namespaces.enter(*id, process.proc.get());
  if (!entered) return Reason::namespace_unreadable;
  process.netns = *entered;
  return Reason::none;
}

bool fits(const InetSocket& sender, const InetSocket& receiver, bool sender_first) {
  const auto& sent = sender.info.fields;
  const auto& received = receiver.info.fields;
  if (sender_first) return sent.bytes_acked <= received.bytes_received + kFlagBytes;
  return received.bytes_received <= sent.bytes_acked + sender.send_queue + kFlagBytes;
}

}  // namespace

TcpTuple tuple_of(const abi::SocketClaim& claim) {
  TcpTuple tuple;
  tuple.family = static_cast<std::uint8_t>(claim.family);
  tuple.local = address_of_endpoint(claim.local);
  tuple.remote = address_of_endpoint(claim.remote);
  tuple.local_port = static_cast<std::uint16_t>(claim.local.port);
  tuple.remote_port = static_cast<std::uint16_t>(claim.remote.port);
  tuple.interface = claim.interface;
  return tuple;
}

bool plausible(const abi::SocketClaim& claim) {
  const auto port = [](std::uint32_t number) { return number >= 1 && number <= 65535; };
  return claim.fd >= 0 && (claim.family == AF_INET || claim.family == AF_INET6) && port(claim.local.port) &&
         port(claim.remote.port) && claim.inode != 0 && claim.inode <= ~std::uint32_t{0};
}

Verified verify(Process& process, const abi::SocketClaim& claim, Namespaces& namespaces) {
  Verified verified;
  if (verified.reason = descriptor_is(process, claim); !verified.ok()) return verified;
  return verify_socket(process, claim, namespaces);
}

Verified verify_socket(Process& process, const abi::SocketClaim& claim, Namespaces& namespaces) {
  Verified verified;
  if (verified.reason = enter_namespace(process, namespaces); !verified.ok()) return verified;
  verified.netns = process.netns->id;
  const TcpTuple tuple = tuple_of(claim);
  const auto found = find_tcp(process.netns->diag, tuple);
  if (!found) {
    verified.reason = Reason::namespace_unreadable;
  } else if (!*found) {
    verified.reason = Reason::no_such_socket;
  } else {
    verified.socket = **found;
    const InetSocket& socket = verified.socket;
    if (socket.cookie != claim.cookie)
      verified.reason = Reason::other_cookie;
    else if (socket.inode != claim.inode)
      verified.reason = Reason::other_inode;
    else if (socket.state != kEstablished)
      verified.reason = Reason::not_established;
    else if (tuple.local == tuple.remote && tuple.local_port == tuple.remote_port)
      verified.reason = Reason::connected_to_itself;
  }
  return verified;
}

bool is_gone(Process& process, const abi::SocketClaim& claim, std::uint64_t netns, Namespaces& namespaces) {
  if (descriptor_is(process, claim) != Reason::not_this_descriptor) return false;
  if (enter_namespace(process, namespaces) != Reason::none || process.netns->id != netns) return false;
  const auto found = find_tcp(process.netns->diag, tuple_of(claim));
  // A socket that was closed may linger in the table for its last bytes, without an inode.
  return found && (!*found || (*found)->cookie != claim.cookie || (*found)->inode != claim.inode);
}

bool counts_fit(const InetSocket& earlier, const InetSocket& later) {
  const bool known = earlier.info.has(&TcpInfoFields::bytes_received) && later.info.has(&TcpInfoFields::bytes_received);
  return !known || (fits(earlier, later, true) && fits(later, earlier, false));
}

}  // namespace sockdoc::monitor
