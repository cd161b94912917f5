#include "probes/links/links_json.h"

#include <linux/if.h>

#include <algorithm>

namespace sockdoc {
namespace {

void text_field(Json& json, const char* name, const std::string& text) {
  if (!text.empty()) json.field(name, text);
}

/** Nothing for an index that is not of this namespace. */
void link_field(Json& json, const char* name, int index, const LinkNames& names) {
  if (const auto found = names.find(index); found != names.end()) json.field(name, found->second);
}

void write_modes(Json& json, const LinkModes& modes) {
  json.field("speedMbps", modes.speed_mbps).field("supportedSpeedMbps", modes.supported_speed_mbps);
  if (modes.duplex != nullptr) json.field("duplex", modes.duplex);
  json.field("autoNegotiation", modes.auto_negotiation);
  if (modes.partner.empty()) return;
  json.key("partnerModes").begin_array();
  for (const std::string& name : modes.partner) json.value(name);
  json.end_array();
}

void write_state(Json& json, const EthtoolFacts& facts) {
  if (const auto& state = facts.state) {
    if (state->down_reason != nullptr) json.field("downReason", state->down_reason);
    json.field("signalQuality", state->signal_quality).field("signalQualityMax", state->signal_quality_max);
  }
  if (facts.error_correction) text_field(json, "errorCorrection", facts.error_correction->active);
}

void write_features(Json& json, const std::vector<Feature>& features) {
  json.key("features").begin_object();
  for (const Feature& feature : features) {
    json.key(feature.name).begin_object().field("on", feature.on).field("changeable", feature.changeable).end_object();
  }
  json.end_object();
}

void write_queues_and_rings(Json& json, const EthtoolFacts& facts) {
  if (const auto& rings = facts.rings) {
    json.key("rings").begin_object().field("rx", rings->rx).field("rxMax", rings->rx_max);
    json.field("tx", rings->tx).field("txMax", rings->tx_max).field("dataSplit", rings->data_split).end_object();
  }
  if (const auto& channels = facts.channels) {
    json.key("channels").begin_object().field("rx", channels->rx).field("rxMax", channels->rx_max);
    json.field("tx", channels->tx).field("txMax", channels->tx_max);
    json.field("combined", channels->combined).field("combinedMax", channels->combined_max).end_object();
  }
  if (const auto& coalescing = facts.coalescing) {
    json.key("coalescing").begin_object();
    json.field("rxUsecs", coalescing->rx_usecs).field("rxFrames", coalescing->rx_frames);
    json.field("txUsecs", coalescing->tx_usecs).field("txFrames", coalescing->tx_frames);
    json.field("adaptiveRx", coalescing->adaptive_rx).field("adaptiveTx", coalescing->adaptive_tx).end_object();
  }
  if (const auto& rss = facts.rss) {
    json.key("rss").begin_object();
    text_field(json, "hashFunction", rss->hash_function);
    json.field("tableSize", rss->table_size).field("queuesUsed", rss->queues_used).end_object();
  }
}

void write_ethtool(Json& json, const EthtoolFacts& facts) {
  if (const auto& driver = facts.driver) {
    text_field(json, "driver", driver->driver);
    text_field(json, "firmware", driver->firmware);
    text_field(json, "bus", driver->bus);
  }
  if (facts.modes) write_modes(json, *facts.modes);
  write_state(json, facts);
  write_queues_and_rings(json, facts);
  if (facts.features) write_features(json, *facts.features);
  if (const auto& pause = facts.pause) {
    json.key("pause").begin_object().field("autoNegotiation", pause->auto_negotiation);
    json.field("rx", pause->rx).field("tx", pause->tx).end_object();
  }
  if (const auto& stamping = facts.timestamping) {
    json.key("timestamping").begin_object().field("hardwareTransmit", stamping->hardware_transmit);
    json.field("hardwareReceive", stamping->hardware_receive).field("clockIndex", stamping->clock_index).end_object();
  }
}

void write_xdp(Json& json, const LinkRow& link, const XdpFeatures& xdp) {
  json.key("xdp").begin_object().key("features").begin_array();
  if (const auto found = xdp.find(link.index); found != xdp.end()) {
    for (const std::string& name : found->second) json.value(name);
  }
  json.end_array();
  text_field(json, "attached", link.xdp_attached);
  json.end_object();
}

void write_bond(Json& json, const LinkRow& bond, const std::vector<LinkRow>& all) {
  json.key("bond").begin_object().field("mode", bond_mode_name(*bond.bond_mode)).key("members").begin_array();
  for (const LinkRow& link : all) {
    if (link.master != bond.index) continue;
    const bool running = (link.flags & IFF_UP) != 0 && link.carrier.value_or(false);
    json.begin_object().field("name", link.name);
    // Without its own word on the member (MII or ARP monitor), whether the member is running.
    json.field("up", link.bond_port && link.bond_port->link_up ? *link.bond_port->link_up : running);
    if (link.bond_port) json.field("active", link.bond_port->active);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_queues(Json& json, const std::vector<QueueCounters>& queues) {
  json.key("queues").begin_array();
  for (const QueueCounters& queue : queues) {
    json.begin_object().field("direction", queue.transmit ? "tx" : "rx").field("index", queue.index);
    json.field("packets", queue.packets).field("bytes", queue.bytes).field("drops", queue.drops).end_object();
  }
  json.end_array();
}

}  // namespace

void write_link(Json& json, const LinkRow& link, const EthtoolFacts& ethtool, const XdpFeatures* xdp,
                const std::vector<LinkRow>& all, const LinkNames& names) {
  json.begin_object().field("index", link.index).field("name", link.name);
  text_field(json, "kind", link.kind);
  json.field("type", link_type(link.hardware_type)).field("up", (link.flags & IFF_UP) != 0);
  json.field("operState", oper_state_name(link.oper_state)).field("carrier", link.carrier);
  json.field("mtu", link.mtu).field("maxMtu", link.max_mtu);
  json.field("transmitQueueLength", link.transmit_queue_length);
  link_field(json, "master", link.master, names);
  link_field(json, "lower", link.lower, names);
  text_field(json, "macAddress", link.mac_address);
  json.field("rxQueues", link.rx_queues).field("txQueues", link.tx_queues);
  text_field(json, "qdisc", link.qdisc);
  json.field("gsoMaxBytes", link.gso_max_bytes);
  write_ethtool(json, ethtool);
  if (xdp != nullptr) write_xdp(json, link, *xdp);
  if (link.bond_mode) write_bond(json, link, all);
  json.end_object();
}

void write_address(Json& json, const AddressRow& row, const LinkNames& names) {
  json.begin_object();
  link_field(json, "interface", row.link, names);
  json.field("family", row.ipv6 ? "inet6" : "inet").field("address", row.address);
  json.field("prefixLength", row.prefix_length).field("scope", scope_name(row.scope)).end_object();
}

void write_route(Json& json, const RouteRow& row, const LinkNames& names) {
  json.begin_object().field("family", row.ipv6 ? "inet6" : "inet").field("destination", row.destination);
  text_field(json, "gateway", row.gateway);
  link_field(json, "interface", row.link, names);
  text_field(json, "source", row.source);
  json.field("metric", row.metric).field("nextHops", row.next_hops);
  text_field(json, "congestionControl", row.congestion_control);
  json.field("initialCwnd", row.initial_cwnd).end_object();
}

void write_counters(Json& json, const LinkRow& link, const EthtoolCounters& ethtool,
                    const std::vector<QdiscRow>& qdiscs, const std::vector<QueueCounters>& queues) {
  json.begin_object().field("name", link.name).field("operState", oper_state_name(link.oper_state));
  json.key("standard").begin_object();
  for (const auto& [name, value] : link.statistics) json.field(name, value);
  json.end_object();
  if (ethtool.driver) {
    json.key("driver").begin_object();
    for (const auto& [name, value] : *ethtool.driver) json.field(name, value);
    json.end_object();
  }
  if (const auto& pause = ethtool.pause) {
    json.key("pause").begin_object().field("rxFrames", pause->rx).field("txFrames", pause->tx).end_object();
  }
  if (!queues.empty()) write_queues(json, queues);
  json.key("qdiscs").begin_array();
  for (const QdiscRow& row : qdiscs) {
    if (row.link != link.index) continue;
    json.begin_object().field("kind", row.kind).field("handle", row.handle).field("parent", row.parent);
    json.field("bytes", row.bytes).field("packets", row.packets).field("drops", row.drops);
    json.field("overlimits", row.overlimits).field("requeues", row.requeues);
    json.field("backlogBytes", row.backlog_bytes).field("backlogPackets", row.backlog_packets).end_object();
  }
  json.end_array().end_object();
}

}  // namespace sockdoc
