#include "probes/connections/row_view.h"

#include <algorithm>
#include <cmath>

namespace sockdoc {
namespace {

using Fields = TcpInfoFields;

constexpr std::uint32_t kNoMinRtt = ~0u;

}  // namespace

RowView::RowView(const TableReading& reading, const TableRow& row) : reading_(reading), row_(row) {}

const Activity& RowView::activity() const {
  if (!activity_) activity_ = activity_since(socket(), row_.before, row_.opened, netns().window_ms);
  return *activity_;
}

bool RowView::has_rates() const { return info().length > 0 && activity().windowed && activity().ms > 0; }

const HeldSocket* RowView::held_of(std::uint32_t held) const {
  return held == DescriptorTable::kNone ? nullptr : &reading_.descriptors.at(held);
}

const ProcessEntry* RowView::process_of(const HeldSocket* held) const {
  return held == nullptr ? nullptr : &reading_.processes.at(held->process);
}

const HeldSocket* RowView::peer_held() const {
  if (row_.peer == TableRow::kNone) return nullptr;
  return held_of(reading_.descriptors.find(reading_.rows[row_.peer].socket.inode));
}

std::string_view RowView::container() const {
  const HeldSocket* of = held();
  return of == nullptr || of->process >= reading_.containers.size() ? std::string_view()
                                                                    : reading_.containers[of->process];
}

const TcpInfo& RowView::info() const {
  static const TcpInfo kNone;
  return socket().state == kListen ? kNone : socket().info;
}

std::optional<double> RowView::rtt_us() const { return info().fields.rtt == 0 ? std::nullopt : number(&Fields::rtt); }

std::optional<double> RowView::rtt_var_us() const {
  return info().fields.rtt == 0 ? std::nullopt : number(&Fields::rttvar);
}

std::optional<double> RowView::min_rtt_us() const {
  const std::uint32_t value = info().fields.min_rtt;
  return value == 0 || value == kNoMinRtt ? std::nullopt : number(&Fields::min_rtt);
}

std::optional<double> RowView::idle_ms() const {
  const std::uint8_t state = socket().state;
  if (info().length == 0 || state == kSynSent || state == kSynReceived || state == kClose) return std::nullopt;
  if (shared()) return std::nullopt;
  return std::min(info().fields.last_data_sent, info().fields.last_data_recv);
}

std::optional<double> RowView::age_ms() const {
  if (row_.began_ms < 0) return std::nullopt;
  return std::floor(std::max(0.0, netns().at_ms - row_.began_ms));
}

std::optional<double> RowView::delivery_bps() const {
  const auto bytes = number(&Fields::delivery_rate);
  if (!bytes) return std::nullopt;
  return *bytes * 8;
}

std::optional<double> RowView::drops() const {
  if (!socket().memory.present) return std::nullopt;
  return socket().memory.drops();
}

std::optional<double> RowView::per_second(std::uint64_t moved) const {
  if (!has_rates()) return std::nullopt;
  return static_cast<double>(moved) * 1000 / activity().ms;
}

std::optional<double> RowView::send_bps() const {
  if (!info().has(&Fields::bytes_acked)) return std::nullopt;
  const ConnectionCounters& moved = activity().moved;
  // Both move apart for a moment while the kernel retransmits.
  return per_second((moved.sent - std::min(moved.sent, moved.retransmitted)) * 8);
}

std::optional<double> RowView::receive_bps() const {
  if (!info().has(&Fields::bytes_received)) return std::nullopt;
  return per_second(activity().moved.received * 8);
}

std::optional<double> RowView::retransmits_per_s() const {
  if (!info().has(&Fields::total_retrans)) return std::nullopt;
  return per_second(activity().moved.retransmits);
}

}  // namespace sockdoc
