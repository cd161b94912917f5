#pragma once

#include <map>
#include <vector>

#include "base/json.h"
#include "probes/links/address_messages.h"
#include "probes/links/ethtool_facts.h"
#include "probes/links/link_messages.h"
#include "probes/links/qdisc_messages.h"
#include "probes/links/queue_statistics.h"
#include "probes/links/route_messages.h"
#include "probes/links/xdp_features.h"

namespace sockdoc {

/** Names of the links of one namespace by index. */
using LinkNames = std::map<int, std::string>;

/** The writers of the shapes in src/model/snapshot/links.ts; each writes one value. */
void write_link(Json& json, const LinkRow& link, const EthtoolFacts& ethtool, const XdpFeatures* xdp,
                const std::vector<LinkRow>& all, const LinkNames& names);
void write_address(Json& json, const AddressRow& row, const LinkNames& names);
void write_route(Json& json, const RouteRow& row, const LinkNames& names);
void write_counters(Json& json, const LinkRow& link, const EthtoolCounters& ethtool,
                    const std::vector<QdiscRow>& qdiscs, const std::vector<QueueCounters>& queues);

}  // namespace sockdoc
