#include "probes/connections/peers.h"

#include <bit>

#include "probes/sockets/four_tuple.h"

namespace sockdoc {
namespace {

/** The end of a connection of which there may be another; TIME_WAIT is what is left when both have closed. */
bool is_end(const InetSocket& socket) {
  return socket.remote_port != 0 && socket.state != kListen && socket.state != kTimeWait &&
         socket.state != kBoundInactive;
}

/** Open addressing over a hash that both ends share. */
class Ends {
 public:
  explicit Ends(std::vector<TableRow>& rows) : rows_(rows), hashes_(rows.size()) {
    slots_.assign(std::bit_ceil(rows.size() * 2 + 2), TableRow::kNone);
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      const InetSocket& of = rows[i].socket;
      if (!is_end(of)) continue;
      hashes_[i] = hash_of_pair(of.local, of.local_port, of.remote, of.remote_port);
      std::size_t slot = hashes_[i] & (slots_.size() - 1);
      while (slots_[slot] != TableRow::kNone) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = i;
    }
  }

  [[nodiscard]] std::uint32_t other(std::uint32_t of) const {
    const TableRow& row = rows_[of];
    std::uint32_t elsewhere = TableRow::kNone;
    int found_elsewhere = 0;
    for (std::size_t slot = hashes_[of] & (slots_.size() - 1); slots_[slot] != TableRow::kNone;
         slot = (slot + 1) & (slots_.size() - 1)) {
      const std::uint32_t at = slots_[slot];
      if (hashes_[at] != hashes_[of] || !swapped(row.socket, rows_[at].socket)) continue;
      if (rows_[at].netns == row.netns) return at;
      elsewhere = at;
      ++found_elsewhere;
    }
    return found_elsewhere == 1 && !is_loopback(row.socket.remote) ? elsewhere : TableRow::kNone;
  }

 private:
  const std::vector<TableRow>& rows_;
  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint32_t> slots_;
};

}  // namespace

void join_peers(TableReading& reading) {
  const Ends ends(reading.rows);
  for (std::uint32_t i = 0; i < reading.rows.size(); ++i) {
    TableRow& row = reading.rows[i];
    if (is_end(row.socket)) row.peer = ends.other(i);
    row.local = row.peer != TableRow::kNone ||
                (row.socket.remote_port != 0 &&
                 (is_loopback(row.socket.remote) || reading.netns[row.netns].addresses.contains(row.socket.remote)));
  }
}

}  // namespace sockdoc
