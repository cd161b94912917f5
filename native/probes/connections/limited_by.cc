#include "probes/connections/limited_by.h"

#include <algorithm>

namespace sockdoc {
namespace {

using Fields = TcpInfoFields;

/** The stop-watches run in jiffies, of up to 10 ms: in a shorter window they say too little. */
constexpr double kShortestWindowMs = 100;

constexpr std::uint8_t kRecovery = 3;                    // TCP_CA_Recovery, TCP_CA_Loss above it
constexpr std::size_t kSendBuffer = 3, kSendQueued = 5;  // of SocketMemory: SK_MEMINFO_SNDBUF, SK_MEMINFO_WMEM_QUEUED

/** States in which data may be sent, or is still to be acknowledged. */
bool sends(std::uint8_t state) {
  return state == kEstablished || state == kCloseWait || state == kFinWait1 || state == kClosing || state == kLastAck;
}

LimitedBy path_or_application(const TcpInfo& info) {
  const bool application_limited = (info.fields.flags & 1) != 0;
  return info.has(&Fields::delivery_rate) && application_limited ? LimitedBy::application : LimitedBy::congestion;
}

/** What took the largest part of `whole_us`; idle is what is left beside the busy time. */
LimitedBy largest_share(const ConnectionCounters& moved, double whole_us, const TcpInfo& info) {
  const auto busy = static_cast<double>(moved.busy_us);
  const auto window = static_cast<double>(moved.receive_window_limited_us);
  const auto buffer = static_cast<double>(moved.send_buffer_limited_us);
  const double rest = busy - window - buffer;
  const double idle = whole_us - busy;
  const double most = std::max({idle, window, buffer, rest});
  if (most == idle) return LimitedBy::application;
  if (most == window) return LimitedBy::receive_window;
  if (most == buffer) return LimitedBy::send_buffer;
  return path_or_application(info);
}

LimitedBy at_this_moment(const InetSocket& socket) {
  const Fields& info = socket.info.fields;
  if (socket.send_queue == 0 && info.notsent_bytes == 0 && info.unacked == 0) return LimitedBy::application;
  const std::uint64_t in_flight = socket.send_queue - std::min(socket.send_queue, info.notsent_bytes);
  const std::uint64_t next = std::min(info.notsent_bytes, info.snd_mss);
  if (next > 0 && socket.info.has(&Fields::snd_wnd) && in_flight + next > info.snd_wnd)
    return LimitedBy::receive_window;
  if (info.ca_state >= kRecovery || info.backoff > 0) return LimitedBy::congestion;
  if (next > 0 && info.unacked >= info.snd_cwnd) return LimitedBy::congestion;
  // A writer sleeps until a third of the buffer is free (sk_stream_is_writeable).
  const auto& memory = socket.memory.values;
  if (next == 0 && socket.memory.present && memory[kSendQueued] * 3ull >= memory[kSendBuffer] * 2ull) {
    return LimitedBy::send_buffer;
  }
  const ConnectionCounters total = counters_of(socket);
  return largest_share(total, static_cast<double>(total.busy_us), socket.info);
}

}  // namespace

std::string_view limit_name(LimitedBy limit) {
  static constexpr std::string_view kNames[] = {"application", "receive-window", "send-buffer", "congestion"};
  return kNames[static_cast<std::size_t>(limit)];
}

std::optional<LimitedBy> limited_by(const InetSocket& socket, const Activity& activity) {
  if (!sends(socket.state) || !socket.info.has(&Fields::sndbuf_limited)) return std::nullopt;
  if (activity.windowed && !activity.opened && activity.ms >= kShortestWindowMs) {
    return largest_share(activity.moved, activity.ms * 1000, socket.info);
  }
  return at_this_moment(socket);
}

}  // namespace sockdoc
