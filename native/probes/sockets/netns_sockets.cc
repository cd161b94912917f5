#include "probes/sockets/netns_sockets.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <ctime>

#include "base/netns.h"
#include "base/procfs.h"
#include "probes/sockets/dump_gaps.h"

namespace sockdoc {
namespace {

constexpr std::size_t kPerReason = 20;
constexpr std::size_t kAskedRows = 10'000;
constexpr std::size_t kUdpRows = 100;
constexpr std::size_t kUnixRows = 500;
constexpr std::size_t kPortRows = 50;

bool is_unix_listener(const UnixSocket& socket) { return socket.state == kListen; }

/** Drops of the window first, then drops at all, then bytes waiting. */
std::uint64_t udp_weight(const InetSocket& socket, std::uint32_t window_drops) {
  constexpr std::uint32_t k20 = (1u << 20) - 1, k24 = (1u << 24) - 1;
  return std::uint64_t{std::min(window_drops, k20)} << 44 | std::uint64_t{std::min(socket.memory.drops(), k20)} << 24 |
         std::min(socket.receive_queue, k24);
}

/** One visit: takes the sockets as the dumps deliver them. */
class Visit {
 public:
  Visit(const NetnsRequest& request, ProcessTable& processes, const DescriptorTable& descriptors,
        const ConnectionBase* base, Gaps& gaps)
      : request_(request), processes_(processes), descriptors_(descriptors), last_(base), gaps_(gaps) {
    out_.path = request.path;
    out_.base = std::make_shared<ConnectionBase>();
  }

  void run() {
    if (const auto id = netns_id("")) out_.id = std::to_string(*id);
    read_port_range();
    out_.at_ms = monotonic_ms();
    auto socket = NetlinkSocket::open(NETLINK_SOCK_DIAG);
    if (!socket) return note_unread_sockets(gaps_, "sock_diag", socket.error());
    out_.read = true;
    for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
      const char* what = family == AF_INET ? "TCP sockets over IPv4" : "TCP sockets over IPv6";
      check(what, dump_inet(*socket, family, IPPROTO_TCP, [&](const InetSocket& s) { take_tcp(s); }));
    }
    for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
      const char* what = family == AF_INET ? "UDP sockets over IPv4" : "UDP sockets over IPv6";
      check(what, dump_inet(*socket, family, IPPROTO_UDP, [&](const InetSocket& s) { take_udp(s); }));
    }
    check("UNIX sockets", dump_unix(*socket, [&](const UnixSocket& s) { take_unix(s); }));
    finish();
  }

  NetnsSockets take() { return std::move(out_); }

 private:
  void check(const char* what, const Result<NetlinkEnd>& dumped) {
    if (!dumped_whole(gaps_, what, dumped)) complete_ = false;
  }

  void read_port_range() {
    char buffer[64];
    // As seen by the thread that opens it: that of the namespace which it has entered.
    const auto text = read_small(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", buffer);
    if (!text) return;
    std::string_view rest = *text;
    const auto first = parse_number<std::uint16_t>(take_until(rest, '\t'));
    const auto last = parse_number<std::uint16_t>(rest);
    if (first && last) out_.port_range = {*first, *last};
  }

  /** Counts the socket for each process that holds it; notes whether one of them was asked for or is sockdoc's own. */
  template <typename Count>
  void own(std::uint32_t inode, Count count) {
    asked_ = self_ = owned_ = false;
    descriptors_.for_each_owner(inode, [&](const HeldSocket& held) {
      ProcessEntry& process = processes_.at(held.process);
      count(process);
      asked_ |= process.asked;
      self_ |= process.self;
      owned_ = true;
    });
  }

  void take_tcp(const InetSocket& socket) {
    if (socket.state >= kTcpStates) return;
    ++out_.tcp[socket.state];
    own(socket.inode, [&](ProcessEntry& process) { ++process.tcp[socket.state]; });
    if (socket.interface != 0) out_.interfaces.try_emplace(socket.interface);
    if (socket.state == kListen) {
      if (!owned_) ++out_.ownerless_listeners;
      out_.listeners.push_back({socket, 0, 0, {}});
      return;
    }
    const Activity activity = activity_of(socket, last_, out_.at_ms);
    add_link(socket, activity);
    if (socket.info.length == 0) return;  // TIME_WAIT and embryonic ones have none
    out_.base->add(counters_of(socket));
    if (request_.rows && !self_) ranking_.consider(socket, activity, asked_);
  }

  void add_link(const InetSocket& socket, const Activity& activity) {
    ConnectionLink link;
    link.local = socket.local;
    link.remote = socket.remote;
    link.local_port = socket.local_port;
    link.remote_port = socket.remote_port;
    link.family = socket.family;
    link.state = socket.state;
    link.windowed = activity.windowed;
    link.inode = socket.inode;
    link.segments = activity.moved.data_segments_in + activity.moved.data_segments_out;
    link.bytes = activity.moved.sent + activity.moved.received;
    out_.links.push_back(link);
  }

  void take_udp(const InetSocket& socket) {
    ++out_.udp_total;
    own(socket.inode, [](ProcessEntry& process) { ++process.udp; });
    if (socket.interface != 0) out_.interfaces.try_emplace(socket.interface);
    const Activity activity = activity_of(socket, last_, out_.at_ms);
    out_.base->add(counters_of(socket));
    UdpRow row{socket, std::nullopt};
    if (activity.windowed) row.window_drops = activity.moved.drops;
    if (!self_) udp_.offer(udp_weight(socket, row.window_drops.value_or(0)), row);
  }

  void take_unix(const UnixSocket& socket) {
    ++out_.unix_total;
    own(socket.inode, [](ProcessEntry& process) { ++process.unix_sockets; });
    const bool queued = socket.type == SOCK_DGRAM && socket.receive_queue > 0;
    if (!is_unix_listener(socket) && !queued) return;
    // The fullest first where there are more than fit.
    unix_.offer(std::uint64_t{socket.receive_queue}, {socket, std::string(socket.name)});
  }

  void finish() {
    for (auto& [index, name] : out_.interfaces) {
      char text[IF_NAMESIZE];
      name = ::if_indextoname(index, text) != nullptr ? text : std::to_string(index);
    }
    out_.base->finish(out_.at_ms, complete_);
    ListenerIndex listeners(out_.listeners);
    listeners.attribute(out_.links, descriptors_);
    out_.ports = port_use(out_.links, listeners, descriptors_, out_.port_range, kPortRows);
    out_.picked_counts = ranking_.counts();
    if (out_.picked_counts[kAsked] > kAskedRows) {
      gaps_.add({"sockets", "connections of the processes asked for",
                 "shortened to " + std::to_string(kAskedRows) + " rows", "", out_.picked_counts[kAsked] - kAskedRows});
    }
    out_.connections = ranking_.take();
    out_.udp = udp_.take();
    out_.unix_sockets = unix_.take();
  }

  const NetnsRequest& request_;
  ProcessTable& processes_;
  const DescriptorTable& descriptors_;
  const ConnectionBase* last_;
  Gaps& gaps_;
  NetnsSockets out_;
  Ranking ranking_{kPerReason, kAskedRows};
  TopRows<UdpRow> udp_{kUdpRows};
  TopRows<UnixRow> unix_{kUnixRows};
  bool asked_ = false;
  bool self_ = false;
  bool owned_ = false;
  bool complete_ = true;
};

}  // namespace

bool UnixRow::listening() const { return is_unix_listener(socket); }

NetnsSockets read_netns_sockets(const NetnsRequest& request, ProcessTable& processes,
                                const DescriptorTable& descriptors, const ConnectionBase* base, Gaps& gaps) {
  Visit visit(request, processes, descriptors, base, gaps);
  const Status entered = in_netns(request.path, false, [&] { visit.run(); });
  if (!entered) {
    const Error& error = entered.error();
    gaps.add_errno("sockets", error.what, error.code, "CAP_SYS_ADMIN");
  }
  return visit.take();
}

double monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace sockdoc
