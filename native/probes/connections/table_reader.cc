#include "probes/connections/table_reader.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/netns.h"
#include "probes/links/address_messages.h"
#include "probes/sockets/dump_gaps.h"
#include "probes/sockets/netns_sockets.h"

namespace sockdoc {
namespace {

/** One visit of a namespace. */
class Visit {
 public:
  Visit(TableReading& reading, std::uint32_t index, const TableBases& bases, OtherSockets* others, Gaps& gaps)
      : reading_(reading), index_(index), bases_(bases), others_(others), gaps_(gaps) {
    if (bases.last) base_->reserve(bases.last->size() + bases.last->size() / 8);
  }

  void run() {
    TableNetns& netns = this->netns();
    read_addresses();
    auto socket = NetlinkSocket::open(NETLINK_SOCK_DIAG);
    if (!socket) return note_unread_sockets(gaps_, "sock_diag", socket.error());
    netns.read = true;
    // Right before the counters are read: on a crowded host what comes in between takes long now and then.
    netns.at_ms = monotonic_ms();
    netns.window_ms = bases_.last ? netns.at_ms - bases_.last->at_ms() : 0;
    const auto dumped = dump_tcp(*socket, [&](const InetSocket& s) { take(s); });
    complete_ = dumped_whole(gaps_, "TCP sockets", dumped);
    netns.listed = static_cast<bool>(dumped);
    if (others_ != nullptr) read_others(*socket);
    name_interfaces();
    base_->finish(netns.at_ms, complete_);
    drop_repeated();
  }

  std::shared_ptr<ConnectionBase> base() { return base_; }

 private:
  TableNetns& netns() { return reading_.netns[index_]; }

  /** Our own addresses, to tell local connections whose other end is not seen. */
  void read_addresses() {
    auto route = NetlinkSocket::open(NETLINK_ROUTE);
    NetlinkEnd end;
    const auto rows = route ? dump_addresses(*route, end) : Result<std::vector<AddressRow>>(route.error());
    if (!rows) return gaps_.add_errno("sockets", "addresses of the namespace", rows.error().code, "");
    for (const AddressRow& row : *rows) {
      std::uint32_t words[4] = {};
      const int family = row.ipv6 ? AF_INET6 : AF_INET;
      if (::inet_pton(family, row.address.c_str(), words) == 1) netns().addresses.insert(address_of(family, words));
    }
  }

  void take(const InetSocket& socket) {
    if (socket.state >= kTcpStates) return;
    TableRow& row = reading_.rows.emplace_back();
    row.socket = socket;
    row.netns = index_;
    if (socket.interface != 0) netns().interfaces.try_emplace(socket.interface);
    add_shared(row.socket);
    compare(row);
    ConnectionCounters counters = counters_of(row.socket);
    counters.began_ms = row.began_ms;
    base_->add(counters);
  }

  /** Bytes are bytes, whatever carries them. */
  void add_shared(InetSocket& socket) {
    const Transports::End* end = reading_.transports.find(socket.cookie, socket.uid);
    if (end == nullptr) return;
    TcpInfoFields& info = socket.info.fields;
    for (auto* sent : {&info.bytes_sent, &info.bytes_acked}) *sent += end->sent;
    info.bytes_received += end->received;
  }

  /** A socket that one dump has missed was there in the one before that: it is not new, and has no window. */
  void compare(TableRow& row) {
    if (!bases_.last) return;
    const std::uint64_t cookie = row.socket.cookie;
    row.before = bases_.last->find(cookie);
    const ConnectionCounters* seen = row.before;
    if (seen == nullptr && bases_.before) seen = bases_.before->find(cookie);
    if (seen != nullptr) {
      row.began_ms = seen->began_ms;
    } else if (bases_.last->complete()) {
      row.opened = true;
      row.began_ms = began_ms(row.socket);
    }
  }

  /**
   * It began after the reading before. Both times of last data start at the beginning, so that the later of the two is
   * the age while no data has moved, and no more than the age later; then the middle of what is possible is taken.
   */
  double began_ms(const InetSocket& socket) {
    const double now = netns().at_ms;
    const TcpInfoFields& info = socket.info.fields;
    const bool talks = socket.info.length > 0 && socket.state == kEstablished;
    const double known =
        talks ? std::min<double>(std::max(info.last_data_sent, info.last_data_recv), netns().window_ms) : 0;
    if (talks && info.data_segs_in == 0 && info.data_segs_out == 0) return now - known;
    return now - (known + netns().window_ms) / 2;
  }

  void drop_repeated() {
    std::vector<TableRow>& rows = reading_.rows;
    for (auto at = base_->repeated().rbegin(); at != base_->repeated().rend(); ++at) {
      rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(first_row_ + *at));
    }
  }

  void read_others(NetlinkSocket& socket) {
    for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
      const char* what = family == AF_INET ? "UDP sockets over IPv4" : "UDP sockets over IPv6";
      check_others(
          what, dump_inet(socket, family, IPPROTO_UDP, [&](const InetSocket& s) { others_->udp.push_back(s.inode); }));
    }
    check_others("UNIX sockets",
                 dump_unix(socket, [&](const UnixSocket& s) { others_->unix_sockets.push_back(s.inode); }));
  }

  void check_others(const char* what, const Result<NetlinkEnd>& dumped) {
    if (!dumped) note_unread_sockets(gaps_, what, dumped.error());
  }

  void name_interfaces() {
    for (auto& [index, name] : netns().interfaces) {
      char text[IF_NAMESIZE];
      name = ::if_indextoname(index, text) != nullptr ? text : std::to_string(index);
    }
  }

  TableReading& reading_;
  std::uint32_t index_;
  std::size_t first_row_ = reading_.rows.size();
  const TableBases& bases_;
  OtherSockets* others_;
  Gaps& gaps_;
  std::shared_ptr<ConnectionBase> base_ = std::make_shared<ConnectionBase>();
  bool complete_ = true;
};

}  // namespace

std::shared_ptr<ConnectionBase> read_table_netns(TableReading& reading, std::uint32_t index, const TableBases& bases,
                                                 OtherSockets* others, Gaps& gaps) {
  Visit visit(reading, index, bases, others, gaps);
  const Status entered = in_netns(reading.netns[index].path, false, [&] { visit.run(); });
  if (!entered) gaps.add_errno("sockets", entered.error().what, entered.error().code, "CAP_SYS_ADMIN");
  return visit.base();
}

}  // namespace sockdoc
