#include "probes/links/route_messages.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>

#include "probes/links/address_messages.h"

namespace sockdoc {
namespace {

void parse_metrics(Bytes payload, RouteRow& route) {
  for (const Attribute& attribute : Attributes(payload)) {
    if (attribute.type == RTAX_CC_ALGO) route.congestion_control = attribute.text();
    if (attribute.type == RTAX_INITCWND) route.initial_cwnd = attribute.number();
  }
}

/** The address of RTA_VIA, which is of another family than the route (struct rtvia). */
std::string via_address(Bytes payload) {
  return payload.size() > sizeof(rtvia) ? address_text(payload.subspan(sizeof(rtvia))) : std::string();
}

/** Counts the next hops; gateway and link become those of the first. */
void parse_next_hops(Bytes payload, RouteRow& route) {
  std::uint64_t count = 0;
  while (const auto hop = read_as<rtnexthop>(payload)) {
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > payload.size()) break;
    if (count++ == 0) {
      route.link = hop->rtnh_ifindex;
      for (const Attribute& attribute : Attributes(payload.subspan(sizeof *hop, hop->rtnh_len - sizeof *hop))) {
        if (attribute.type == RTA_GATEWAY) route.gateway = address_text(attribute.payload);
        if (attribute.type == RTA_VIA) route.gateway = via_address(attribute.payload);
      }
    }
    payload = after(payload, hop->rtnh_len);
  }
  if (count > 0) route.next_hops = count;
}

void parse_attribute(const Attribute& attribute, const rtmsg& fixed, RouteRow& route) {
  switch (attribute.type) {
    case RTA_DST:
      route.destination = address_text(attribute.payload) + "/" + std::to_string(fixed.rtm_dst_len);
      break;
    case RTA_GATEWAY:
      route.gateway = address_text(attribute.payload);
      break;
    case RTA_VIA:
      route.gateway = via_address(attribute.payload);
      break;
    case RTA_OIF:
      route.link = static_cast<int>(attribute.number());
      break;
    case RTA_PREFSRC:
      route.source = address_text(attribute.payload);
      break;
    case RTA_PRIORITY:
      route.metric = attribute.number();
      break;
    case RTA_METRICS:
      parse_metrics(attribute.payload, route);
      break;
    case RTA_MULTIPATH:
      parse_next_hops(attribute.payload, route);
      break;
    default:
      break;
  }
}

Status dump_family(std::uint8_t family, std::size_t limit, Routes& routes, NetlinkEnd& end) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  // Strict checking (Linux 4.20) makes the kernel filter by table; older ones send all, and parse_route() chooses.
  (void)socket->enable(NETLINK_GET_STRICT_CHK);
  NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP);
  rtmsg fixed{};
  fixed.rtm_family = family;
  fixed.rtm_table = RT_TABLE_MAIN;
  request.append(fixed);
  std::vector<RouteRow> rows;
  const auto answer = socket->request_some(request, [&](std::uint16_t type, Bytes payload) {
    if (type != RTM_NEWROUTE) return true;
    auto row = parse_route(payload);
    if (row && rows.size() == limit) return false;
    if (row) rows.push_back(std::move(*row));
    return true;
  });
  // ENOENT: the main table of this family was never made, so it has no routes.
  if (!answer && answer.error().code != ENOENT) return answer.error();
  if (answer) {
    end.interrupted |= answer->interrupted;
    routes.truncated |= answer->stopped;
  }
  std::move(rows.begin(), rows.end(), std::back_inserter(routes.rows));
  return Done{};
}

}  // namespace

std::optional<RouteRow> parse_route(Bytes payload) {
  const auto fixed = read_as<rtmsg>(payload);
  if (!fixed || (fixed->rtm_family != AF_INET && fixed->rtm_family != AF_INET6)) return std::nullopt;
  // Cloned routes are the path MTU exceptions that older kernels dump along.
  if (fixed->rtm_type != RTN_UNICAST || (fixed->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const Attributes attributes(after(payload, sizeof(rtmsg)));
  const auto table = attributes.find(RTA_TABLE);
  if ((table ? table->number() : fixed->rtm_table) != RT_TABLE_MAIN) return std::nullopt;
  RouteRow route;
  route.ipv6 = fixed->rtm_family == AF_INET6;
  route.destination = "default";
  for (const Attribute& attribute : attributes) parse_attribute(attribute, *fixed, route);
  return route;
}

Result<Routes> dump_routes(std::size_t limit, NetlinkEnd& end) {
  Routes v4;
  Routes v6;
  if (const Status read = dump_family(AF_INET, limit, v4, end); !read) return read.error();
  if (const Status read = dump_family(AF_INET6, limit, v6, end); !read) return read.error();
  Routes all;
  all.truncated = v4.truncated || v6.truncated || v4.rows.size() + v6.rows.size() > limit;
  // Neither family may push the other out.
  const std::size_t from_v4 = std::min(v4.rows.size(), std::max(limit / 2, limit - std::min(limit, v6.rows.size())));
  const std::size_t from_v6 = std::min(v6.rows.size(), limit - from_v4);
  std::move(v4.rows.begin(), v4.rows.begin() + static_cast<std::ptrdiff_t>(from_v4), std::back_inserter(all.rows));
  std::move(v6.rows.begin(), v6.rows.begin() + static_cast<std::ptrdiff_t>(from_v6), std::back_inserter(all.rows));
  return all;
}

}  // namespace sockdoc
