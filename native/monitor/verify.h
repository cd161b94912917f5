#pragma once

#include "abi/messages.h"
#include "monitor/process.h"
#include "probes/sockets/sock_diag.h"

namespace sockdoc::monitor {

/** What came of a look at a socket: the kernel's own account of it, or the reason why it is not what was claimed. */
struct Verified {
  abi::Reason reason = abi::Reason::none;
  InetSocket socket;
  std::uint64_t netns = 0;

  [[nodiscard]] bool ok() const { return reason == abi::Reason::none; }
};

[[nodiscard]] TcpTuple tuple_of(const abi::SocketClaim& claim);

/**
 * Whether the process has this socket under this descriptor, and the kernel knows it by this tuple, cookie and inode,
 * in the process's network namespace, as an established connection. Also refreshes the process's namespace.
 */
[[nodiscard]] Verified verify(Process& process, const abi::SocketClaim& claim, Namespaces& namespaces);

/** The same whatever descriptor leads to it now. */
[[nodiscard]] Verified verify_socket(Process& process, const abi::SocketClaim& claim, Namespaces& namespaces);

/**
 * Whether a socket of namespace `netns` that was verified once is no longer the process's: the descriptor is another,
 * and the kernel's table does not have the socket with an owner either. Where that cannot be seen, it still is.
 */
[[nodiscard]] bool is_gone(Process& process, const abi::SocketClaim& claim, std::uint64_t netns,
                           Namespaces& namespaces);

/** Whether the claim is well-formed at all. */
[[nodiscard]] bool plausible(const abi::SocketClaim& claim);

/**
 * Whether the byte counts of two ends can be those of one connection, `earlier` having been read first: what one end
 * has got an acknowledgement for, the other has received, and it has received nothing that was not sent.
 */
[[nodiscard]] bool counts_fit(const InetSocket& earlier, const InetSocket& later);

}  // namespace sockdoc::monitor
