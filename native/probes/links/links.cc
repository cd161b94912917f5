#include "probes/links/links.h"

#include "base/gaps.h"
#include "base/netns.h"
#include "probes/links/ethtool.h"
#include "probes/links/links_json.h"
#include "probes/links/queue_statistics.h"

namespace sockdoc {
namespace {

constexpr std::size_t kMaxRoutes = 1000;

/** The rows, or none and a gap. */
template <typename Rows>
Rows rows_or_gap(Result<Rows> result, const char* what, Gaps& gaps) {
  if (result) return std::move(*result);
  gaps.add_errno("links", what, result.error().code, "");
  return Rows();
}

/** Everything that one visit of a namespace reads. */
class Reading {
 public:
  Reading(const LinksRequest& request, Gaps& gaps)
      : gaps_(gaps), way_(request.ethtool_ioctl_only ? EthtoolWay::ioctl_only : EthtoolWay::netlink_first) {}

  void read(bool counters_only, bool standard_only) {
    auto route = NetlinkSocket::open(NETLINK_ROUTE);
    if (!route) return gaps_.add_errno("links", "rtnetlink", route.error().code, "");
    NetlinkEnd end;
    links_ = rows_or_gap(dump_links(*route, end), "links", gaps_);
    for (const LinkRow& link : links_) names_[link.index] = link.name;
    qdiscs_ = rows_or_gap(dump_qdiscs(*route, end), "queueing disciplines", gaps_);
    if (!standard_only) {
      counters_ = read_ethtool_counters(links_, way_, gaps_);
      queues_ = read_queue_statistics();
    }
    if (!counters_only) read_facts(*route, end);
    if (end.interrupted) gaps_.add({"links", "rtnetlink", "links or routes changed while they were read", "", 1});
  }

  void write_facts(Json& json) const {
    json.key("links").begin_array();
    for (const LinkRow& link : links_) {
      write_link(json, link, facts_.at(link.index), xdp_ ? &*xdp_ : nullptr, links_, names_);
    }
    json.end_array().key("addresses").begin_array();
    for (const AddressRow& row : addresses_) {
      // A link that appeared after the dump of links has no name here yet.
      if (names_.contains(row.link)) write_address(json, row, names_);
    }
    json.end_array().key("routes").begin_array();
    for (const RouteRow& row : routes_.rows) write_route(json, row, names_);
    json.end_array();
  }

  void write_counters_of_all(Json& json) const {
    json.key("counters").begin_array();
    for (const LinkRow& link : links_) {
      const auto ethtool = counters_.find(link.index);
      const auto queues = queues_.find(link.index);
      write_counters(json, link, ethtool == counters_.end() ? EthtoolCounters() : ethtool->second, qdiscs_,
                     queues == queues_.end() ? std::vector<QueueCounters>() : queues->second);
    }
    json.end_array();
  }

 private:
  void read_facts(NetlinkSocket& route, NetlinkEnd& end) {
    addresses_ = rows_or_gap(dump_addresses(route, end), "addresses", gaps_);
    routes_ = rows_or_gap(dump_routes(kMaxRoutes, end), "routes", gaps_);
    if (routes_.truncated) gaps_.add({"links", "routes", "truncated at " + std::to_string(kMaxRoutes), "", 1});
    facts_ = read_ethtool_facts(links_, way_, gaps_);
    auto xdp = read_xdp_features();
    if (xdp) {
      xdp_ = std::move(*xdp);
    } else {
      const bool old = xdp.error().code == ENOENT;
      gaps_.add({"links", "XDP features", old ? "not in this kernel (before 6.3)" : xdp.error().message(), "", 1});
    }
  }

  Gaps& gaps_;
  EthtoolWay way_;
  std::vector<LinkRow> links_;
  LinkNames names_;
  std::vector<AddressRow> addresses_;
  Routes routes_;
  std::vector<QdiscRow> qdiscs_;
  std::map<int, EthtoolFacts> facts_;
  std::map<int, EthtoolCounters> counters_;
  QueueStatistics queues_;
  std::optional<XdpFeatures> xdp_;
};

}  // namespace

std::string read_links(const LinksRequest& request) {
  Gaps gaps;
  Reading reading(request, gaps);
  const Status entered =
      in_netns(request.netns, false, [&] { reading.read(request.counters_only, request.standard_only); });
  if (!entered) gaps.add_errno("links", entered.error().what, entered.error().code, "CAP_SYS_ADMIN");
  Json json;
  json.begin_object();
  if (!request.counters_only) reading.write_facts(json);
  reading.write_counters_of_all(json);
  json.key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace sockdoc
