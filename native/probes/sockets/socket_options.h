#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/descriptors.h"
#include "probes/sockets/netns_sockets.h"

namespace sockdoc {

/** SocketOptions in src/model/snapshot/sockets.ts. An option that this kernel or socket lacks is absent. */
struct SocketOptions {
  std::optional<bool> no_delay, receive_buffer_locked, send_buffer_locked, zero_copy, keep_alive;
  std::optional<int> keep_idle_s, incoming_cpu, busy_poll_us;
  std::optional<std::uint32_t> not_sent_low_water;  // UINT_MAX: no limit
};

/** Options of a socket that we hold. */
SocketOptions options_of(int socket);

/**
 * Reads the options of another process's socket through a duplicate of its descriptor, which is closed at once; see
 * docs/decisions/0005-socket-options-by-duplicate.md. ESTALE when the descriptor is by now another file than the socket
 * of `inode`.
 */
Result<SocketOptions> read_options(int pid, int fd, std::uint32_t inode);

/** Options by cookie, of at most `limit` of the connections that were picked for a reason that needs them. */
std::unordered_map<std::uint64_t, SocketOptions> read_options_of_rows(const std::vector<NetnsSockets>& namespaces,
                                                                      ProcessTable& processes,
                                                                      const DescriptorTable& descriptors,
                                                                      std::size_t limit, Gaps& gaps);

}  // namespace sockdoc
