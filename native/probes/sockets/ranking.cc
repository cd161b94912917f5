#include "probes/sockets/ranking.h"

#include <unordered_map>

namespace sockdoc {
namespace {

/** A delayed ACK takes 40 ms (TCP_DELACK_MIN): waiting half of that per segment is not the path's doing. */
constexpr std::uint64_t kSlowAckUs = 20'000;

/** Shorter pauses are the rhythm of a conversation. */
constexpr std::uint64_t kSilentMs = 1000;

/** The peer's FIN counts as one byte of the receive queue. */
bool peer_has_closed(std::uint8_t state) { return state == kCloseWait || state == kLastAck || state == kClosing; }

/** At least 1 % of the window, or of the busy time since the connection began. */
std::uint64_t limited(std::uint64_t limited_us, const Activity& activity) {
  const double of_us = activity.windowed ? activity.ms * 1000 : static_cast<double>(activity.moved.busy_us);
  return limited_us > 0 && static_cast<double>(limited_us) * 100 >= of_us ? limited_us : 0;
}

std::uint64_t small_unacked(const InetSocket& socket, const Activity& activity) {
  const TcpInfoFields& info = socket.info.fields;
  if (socket.state != kEstablished || info.snd_mss == 0) return 0;
  const ConnectionCounters& moved = activity.moved;
  if (info.unacked > 0 && info.notsent_bytes > 0 && info.notsent_bytes < info.snd_mss) {
    return (std::uint64_t{1} << 40) + moved.busy_us;  // seen waiting: above those where it is only likely
  }
  if (moved.data_segments_out == 0 || info.min_rtt >= kSlowAckUs) return 0;
  const bool small = moved.sent / moved.data_segments_out < info.snd_mss / 2;
  return small && moved.busy_us / moved.data_segments_out >= kSlowAckUs ? moved.busy_us : 0;
}

std::uint64_t idle_restart(const InetSocket& socket, const Activity& activity) {
  const TcpInfoFields& info = socket.info.fields;
  if (!activity.windowed || activity.moved.retransmits > 0 || info.ca_state != 0) return 0;
  if (activity.moved.data_segments_out == 0 || activity.cwnd_first <= info.snd_cwnd) return 0;
  return activity.cwnd_first - info.snd_cwnd;
}

/** Neither end has sent data for a second and more; on the loopback nothing between them can forget the connection. */
std::uint64_t silent_ms(const InetSocket& socket) {
  if (socket.state != kEstablished || is_loopback(socket.remote)) return 0;
  const std::uint64_t ms = std::min(socket.info.fields.last_data_sent, socket.info.fields.last_data_recv);
  return ms >= kSilentMs ? ms : 0;
}

std::uint64_t drops(const InetSocket& socket, const Activity& activity) {
  if (socket.memory.drops() == 0) return 0;
  const std::uint64_t now = activity.windowed ? activity.moved.drops : 0;
  return now << 32 | socket.memory.drops();
}

}  // namespace

std::string_view reason_name(Reason reason) {
  static constexpr std::array<std::string_view, kReasons> kNames = {
      "traffic",  "drops",  "retransmits",   "receive-window-limited", "send-buffer-limited",
      "not-sent", "unread", "small-unacked", "idle-restart",           "close-wait",
      "silent",   "asked"};
  return kNames[reason];
}

std::uint64_t score(Reason reason, const InetSocket& socket, const Activity& activity) {
  const ConnectionCounters& moved = activity.moved;
  switch (reason) {
    case kTraffic:
      return moved.sent + moved.received;
    case kDrops:
      return drops(socket, activity);
    case kRetransmits:
      return moved.retransmits;
    case kReceiveWindowLimited:
      return limited(moved.receive_window_limited_us, activity);
    case kSendBufferLimited:
      return limited(moved.send_buffer_limited_us, activity);
    case kNotSent:
      return socket.info.fields.notsent_bytes;
    case kUnread:
      return peer_has_closed(socket.state) && socket.receive_queue > 0 ? socket.receive_queue - 1
                                                                       : socket.receive_queue;
    case kSmallUnacked:
      return small_unacked(socket, activity);
    case kIdleRestart:
      return idle_restart(socket, activity);
    case kCloseWaiting:
      return socket.state == kCloseWait ? 1 + std::uint64_t{socket.info.fields.last_data_recv} : 0;
    case kSilent:
      return silent_ms(socket);
    case kAsked:
    case kReasons:
      return 0;
  }
  return 0;
}

Ranking::Ranking(std::size_t per_reason, std::size_t asked_limit) : top_(kReasons, TopRows<ConnectionRow>(per_reason)) {
  top_[kAsked] = TopRows<ConnectionRow>(asked_limit);
}

void Ranking::consider(const InetSocket& socket, const Activity& activity, bool asked) {
  for (std::uint8_t i = 0; i < kReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    const std::uint64_t weight = reason == kAsked ? (asked ? 1 : 0) : score(reason, socket, activity);
    if (weight == 0) continue;
    ++counts_[reason];
    top_[reason].offer(weight, {socket, activity, 1u << reason});
  }
}

std::vector<ConnectionRow> Ranking::take() {
  std::vector<ConnectionRow> rows;
  std::unordered_map<std::uint64_t, std::size_t> by_cookie;
  for (TopRows<ConnectionRow>& top : top_) {
    for (ConnectionRow& row : top.take()) {
      const auto [found, added] = by_cookie.emplace(row.socket.cookie, rows.size());
      if (added) {
        rows.push_back(row);
      } else {
        rows[found->second].reasons |= row.reasons;
      }
    }
  }
  return rows;
}

}  // namespace sockdoc
