#include "probes/links/queue_statistics.h"

#include "probes/genetlink.h"

namespace sockdoc {
namespace {

// linux/netdev.h is newer than the headers that this is built against.
constexpr std::uint8_t kGet = 12;  // NETDEV_CMD_QSTATS_GET
constexpr std::uint32_t kScopeQueue = 1;
enum Attribute : std::uint16_t {  // NETDEV_A_QSTATS_*
  kIndex = 1,
  kQueueType = 2,
  kQueueId = 3,
  kScope = 4,
  kRxPackets = 8,
  kRxBytes = 9,
  kTxPackets = 10,
  kTxBytes = 11,
  kRxDrops = 13,
  kTxDrops = 24,
};

MaybeNumber number(const Attributes& message, std::uint16_t type) {
  const auto attribute = message.find(type);
  return attribute ? MaybeNumber(attribute->number()) : std::nullopt;
}

}  // namespace

void parse_queue_statistics(const Attributes& message, QueueStatistics& statistics) {
  const auto link = number(message, kIndex);
  const auto type = number(message, kQueueType);
  const auto id = number(message, kQueueId);
  if (!link || !type || !id || *type > 1) return;
  QueueCounters queue;
  queue.transmit = *type == 1;
  queue.index = static_cast<std::uint32_t>(*id);
  queue.packets = number(message, queue.transmit ? kTxPackets : kRxPackets);
  queue.bytes = number(message, queue.transmit ? kTxBytes : kRxBytes);
  queue.drops = number(message, queue.transmit ? kTxDrops : kRxDrops);
  statistics[static_cast<int>(*link)].push_back(queue);
}

QueueStatistics read_queue_statistics() {
  QueueStatistics statistics;
  auto socket = NetlinkSocket::open(NETLINK_GENERIC);
  if (!socket) return statistics;
  const auto family = generic_family(*socket, "netdev");
  if (!family) return statistics;
  NetlinkRequest request = generic_request(*family, kGet, 1, NLM_F_DUMP);
  request.attribute<std::uint32_t>(kScope, kScopeQueue);
  const auto answer = socket->request(
      request, [&](std::uint16_t, Bytes payload) { parse_queue_statistics(generic_attributes(payload), statistics); });
  return answer ? statistics : QueueStatistics();
}

}  // namespace sockdoc
