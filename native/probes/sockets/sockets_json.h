#pragma once

#include <unordered_map>

#include "base/json.h"
#include "probes/sockets/local_pairs.h"
#include "probes/sockets/netns_sockets.h"
#include "probes/sockets/socket_options.h"

namespace sockdoc {

/** What the rows of a reading are written with. */
struct RowContext {
  const ProcessTable& processes;
  const DescriptorTable& descriptors;
  const std::unordered_map<std::uint64_t, SocketOptions>& options;
};

/** Writes a SocketDigest (src/model/snapshot/sockets.ts). `window_ms` is 0 at a first reading. */
void write_digest(Json& json, const NetnsSockets& netns, const std::vector<LocalPairRow>& pairs, double window_ms,
                  const RowContext& context);

/** Writes one Connection. */
void write_connection(Json& json, const ConnectionRow& row, const NetnsSockets& netns, const RowContext& context);

/** The field `memory`; nothing where the kernel gave none. */
void write_memory(Json& json, const SocketMemory& memory);

/** The fields pid, comm and fd of the first owner, and ownerCount when `count`. */
void write_owner(Json& json, std::uint32_t inode, const RowContext& context, bool count);

/** A cookie in hexadecimal, as ss shows it. */
std::string cookie_text(std::uint64_t cookie);

}  // namespace sockdoc
