#include "probes/connections/order.h"

#include <algorithm>
#include <array>

namespace sockdoc {
namespace {

using Fields = TcpInfoFields;

constexpr std::array<std::string_view, 13> kNames = {
    "matters", "rate", "tx", "rx", "rtt", "retrans", "retransrate", "bytes", "queue", "drops", "age", "pid", "port"};
static_assert(static_cast<std::size_t>(Sort::port) + 1 == kNames.size());

enum Group : int { kLeftOver, kListening, kConnected, kTrouble };

bool in_trouble(const RowView& view) {
  const InetSocket& socket = view.socket();
  if (socket.state == kListen) return socket.receive_queue > 0;
  if (socket.state == kCloseWait) return true;
  if (view.has_rates() && (view.activity().moved.retransmits > 0 || view.activity().moved.drops > 0)) return true;
  const auto limit = view.limit();
  return limit && *limit != LimitedBy::application && *limit != LimitedBy::congestion;
}

Group group_of(const RowView& view) {
  const InetSocket& socket = view.socket();
  if (in_trouble(view)) return kTrouble;
  if (socket.state == kListen) return kListening;
  return socket.state == kTimeWait || socket.state == kClose || socket.state == kBoundInactive ? kLeftOver : kConnected;
}

std::optional<double> bytes(const RowView& view) {
  auto sent = view.number(&Fields::bytes_sent);
  return sum_of(sent ? sent : view.number(&Fields::bytes_acked), view.number(&Fields::bytes_received));
}

std::optional<double> rate(const RowView& view) { return sum_of(view.send_bps(), view.receive_bps()); }

std::optional<double> value_of(Sort sort, const RowView& view) {
  const InetSocket& socket = view.socket();
  switch (sort) {
    case Sort::matters:
    case Sort::rate:
      return view.netns().window_ms > 0 ? rate(view) : bytes(view);
    case Sort::tx:
      return view.send_bps();
    case Sort::rx:
      return view.receive_bps();
    case Sort::rtt:
      return view.rtt_us();
    case Sort::retrans:
      return view.number(&Fields::total_retrans);
    case Sort::retransrate:
      return view.retransmits_per_s();
    case Sort::bytes:
      return bytes(view);
    case Sort::queue:
      // A listener's send queue is its backlog, a setting.
      return static_cast<double>(socket.receive_queue) +
             (socket.state == kListen ? 0 : static_cast<double>(socket.send_queue));
    case Sort::drops:
      return view.drops();
    case Sort::age:
      return view.age_ms();
    case Sort::pid:
      if (view.owner() == nullptr) return std::nullopt;
      return view.owner()->pid;
    case Sort::port:
      return socket.local_port;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Sort> sort_named(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Sort>(found - kNames.begin());
}

Rank rank_of(Sort sort, std::uint32_t index, const RowView& view) {
  const auto value = value_of(sort, view);
  if (sort == Sort::matters) return {index, group_of(view), value.value_or(-1)};
  return {index, value ? 0 : kLacking, value.value_or(0)};
}

void order(std::vector<Rank>& ranks, bool reverse, std::size_t limit, const std::vector<TableRow>& rows) {
  const auto before = [&](const Rank& a, const Rank& b) {
    if ((a.group == kLacking) != (b.group == kLacking)) return b.group == kLacking;
    if (a.group != b.group) return (a.group > b.group) != reverse;
    if (a.value != b.value) return (a.value > b.value) != reverse;
    const InetSocket& one = rows[a.row].socket;
    const InetSocket& other = rows[b.row].socket;
    // Thousands that only wait to be forgotten must not push out the few listeners, which have no rate either.
    if ((one.state == kTimeWait) != (other.state == kTimeWait)) return other.state == kTimeWait;
    return one.cookie < other.cookie;
  };
  if (limit < ranks.size()) {
    std::partial_sort(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(limit), ranks.end(), before);
    ranks.resize(limit);
  } else {
    std::sort(ranks.begin(), ranks.end(), before);
  }
}

}  // namespace sockdoc
