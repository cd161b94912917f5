#include "probes/links/qdisc_messages.h"

#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <cstdio>

namespace sockdoc {
namespace {

/** As tc(8) prints them: hexadecimal, a major or minor number of 0 left out. */
std::string class_text(std::uint32_t id) {
  char text[16];
  const unsigned major = id >> 16;
  const unsigned minor = id & 0xffff;
  if (major == 0) {
    std::snprintf(text, sizeof text, ":%x", minor);
  } else if (minor == 0) {
    std::snprintf(text, sizeof text, "%x:", major);
  } else {
    std::snprintf(text, sizeof text, "%x:%x", major, minor);
  }
  return text;
}

std::string handle_text(std::uint32_t handle) {
  char text[16];
  std::snprintf(text, sizeof text, "%x:", handle >> 16);
  return text;
}

std::string parent_text(std::uint32_t parent) {
  if (parent == TC_H_ROOT) return "root";
  if (parent == TC_H_INGRESS) return "ingress";
  return class_text(parent);
}

bool parse_statistics(Bytes payload, QdiscRow& row) {
  const Attributes statistics(payload);
  const auto basic = statistics.find(TCA_STATS_BASIC);
  const auto queue = statistics.find(TCA_STATS_QUEUE);
  if (!basic || !queue) return false;
  const auto traffic = read_prefix<gnet_stats_basic>(basic->payload);
  const auto state = read_prefix<gnet_stats_queue>(queue->payload);
  row.bytes = traffic.bytes;
  row.packets = traffic.packets;
  // The packets of TCA_STATS_BASIC have 32 bits and wrap; the kernel adds the whole number once they do (Linux 5.5).
  if (const auto packets = statistics.find(TCA_STATS_PKT64)) row.packets = packets->number();
  row.drops = state.drops;
  row.overlimits = state.overlimits;
  row.requeues = state.requeues;
  row.backlog_bytes = state.backlog;
  row.backlog_packets = state.qlen;
  return true;
}

}  // namespace

std::optional<QdiscRow> parse_qdisc(Bytes payload) {
  const auto fixed = read_as<tcmsg>(payload);
  if (!fixed) return std::nullopt;
  const Attributes attributes(after(payload, sizeof(tcmsg)));
  const auto kind = attributes.find(TCA_KIND);
  const auto statistics = attributes.find(TCA_STATS2);
  QdiscRow row;
  if (!kind || !statistics || !parse_statistics(statistics->payload, row)) return std::nullopt;
  row.link = fixed->tcm_ifindex;
  row.kind = kind->text();
  row.handle = handle_text(fixed->tcm_handle);
  row.parent = parent_text(fixed->tcm_parent);
  return row;
}

Result<std::vector<QdiscRow>> dump_qdiscs(NetlinkSocket& route, NetlinkEnd& end) {
  std::vector<QdiscRow> rows;
  NetlinkRequest request(RTM_GETQDISC, NLM_F_DUMP);
  request.append(tcmsg{});
  const auto answer = route.request(request, [&](std::uint16_t type, Bytes payload) {
    if (type != RTM_NEWQDISC) return;
    if (auto row = parse_qdisc(payload)) rows.push_back(std::move(*row));
  });
  // A kernel without traffic control has no disciplines to show.
  if (!answer && answer.error().code != EOPNOTSUPP) return answer.error();
  if (answer) end.interrupted |= answer->interrupted;
  return rows;
}

}  // namespace sockdoc
