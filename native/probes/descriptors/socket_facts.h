#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/sock_diag.h"

namespace sockdoc {

/** What sock_diag says of a socket, as much as a descriptor's row needs. */
struct SocketFact {
  enum class Protocol : std::uint8_t { tcp, udp, unix_domain };

  std::uint32_t inode = 0;
  Protocol protocol = Protocol::tcp;
  std::uint8_t family = 0;
  std::uint8_t state = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint16_t netns = 0;       // index of the namespace that was read
  std::uint32_t peer_inode = 0;  // UNIX: of the socket at the other end, 0 for none
  std::uint32_t name = 0;        // UNIX: index of its name, 0 for none
  std::uint32_t receive_queue = 0;
  std::uint32_t send_queue = 0;
  Address local{};
  Address remote{};
};

/** Sockets of some network namespaces by inode. */
class SocketFacts {
 public:
  /** Visits the namespace at `path` (as in_netns takes it). Without the names of UNIX sockets unless they are wanted.
   * False when not all of it could be read. */
  bool read(const std::string& path, bool names, Gaps& gaps);
  /** Call once after the last read(). */
  void finish();

  [[nodiscard]] const SocketFact* find(std::uint64_t inode) const;
  [[nodiscard]] const std::vector<SocketFact>& all() const { return facts_; }
  /** A path, or "@…" for one of the abstract namespace; empty when it has none. */
  [[nodiscard]] const std::string& name(const SocketFact& fact) const { return names_[fact.name]; }

 private:
  bool visit(bool names, Gaps& gaps);
  void take_unix(Bytes message, bool names);

  std::vector<SocketFact> facts_;
  std::vector<std::string> names_{std::string()};
  std::uint16_t netns_ = 0;
};

/** A UNIX socket's name as people write it. */
std::string unix_name(std::string_view name);

}  // namespace sockdoc
