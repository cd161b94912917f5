#include "probes/sockets/connection_base.h"

#include <bit>

namespace sockdoc {
namespace {

std::size_t slot_of(std::uint64_t cookie, std::size_t slots) {
  return (cookie * 0x9e3779b97f4a7c15u) >> (64 - std::countr_zero(slots));
}

/** True when the socket was disconnected and used again (connect to AF_UNSPEC), which sets its counters to zero. */
bool restarted(const ConnectionCounters& now, const ConnectionCounters& before) {
  return now.sent < before.sent || now.received < before.received || now.busy_us < before.busy_us ||
         now.retransmitted < before.retransmitted;
}

}  // namespace

ConnectionCounters counters_of(const InetSocket& socket) {
  const TcpInfoFields& info = socket.info.fields;
  return {socket.cookie,       socket.info.sent(),    info.bytes_received, info.busy_time,     info.rwnd_limited,
          info.sndbuf_limited, info.segs_out,         info.segs_in,        info.data_segs_out, info.data_segs_in,
          info.total_retrans,  socket.memory.drops(), info.snd_cwnd,       info.bytes_retrans, -1};
}

void ConnectionBase::add(const ConnectionCounters& counters) { counters_.push_back(counters); }

void ConnectionBase::finish(double at_ms, bool complete) {
  at_ms_ = at_ms;
  complete_ = complete;
  const std::size_t slots = std::bit_ceil(counters_.size() * 2 + 2);
  slots_.assign(slots, 0);
  for (std::uint32_t i = 0; i < counters_.size(); ++i) {
    const std::uint64_t cookie = counters_[i].cookie;
    std::size_t slot = slot_of(cookie, slots);
    while (slots_[slot] != 0 && counters_[slots_[slot] - 1].cookie != cookie) slot = (slot + 1) & (slots - 1);
    if (slots_[slot] == 0) {
      slots_[slot] = i + 1;
    } else {
      repeated_.push_back(i);
    }
  }
}

const ConnectionCounters* ConnectionBase::find(std::uint64_t cookie) const {
  if (slots_.empty()) return nullptr;
  const std::size_t slots = slots_.size();
  for (std::size_t slot = slot_of(cookie, slots); slots_[slot] != 0; slot = (slot + 1) & (slots - 1)) {
    if (counters_[slots_[slot] - 1].cookie == cookie) return &counters_[slots_[slot] - 1];
  }
  return nullptr;
}

Activity activity_since(const InetSocket& socket, const ConnectionCounters* before, bool opened, double ms) {
  Activity activity;
  activity.ms = ms;
  activity.moved = counters_of(socket);
  if (before == nullptr) {
    activity.windowed = activity.opened = opened;
    return activity;
  }
  ConnectionCounters& moved = activity.moved;
  if (restarted(moved, *before)) return activity;
  activity.windowed = true;
  activity.cwnd_first = before->cwnd;
  moved.sent -= before->sent;
  moved.retransmitted -= before->retransmitted;
  moved.received -= before->received;
  moved.busy_us -= before->busy_us;
  moved.receive_window_limited_us -= before->receive_window_limited_us;
  moved.send_buffer_limited_us -= before->send_buffer_limited_us;
  // 32-bit counters of the kernel wrap, and so does the subtraction.
  moved.segments_out -= before->segments_out;
  moved.segments_in -= before->segments_in;
  moved.data_segments_out -= before->data_segments_out;
  moved.data_segments_in -= before->data_segments_in;
  moved.retransmits -= before->retransmits;
  moved.drops -= before->drops;
  return activity;
}

Activity activity_of(const InetSocket& socket, const ConnectionBase* base, double now_ms) {
  if (base == nullptr) return activity_since(socket, nullptr, false, 0);
  // Only a complete first dump tells that a socket is new; else its counters may be much older than the window.
  return activity_since(socket, base->find(socket.cookie), base->complete(), now_ms - base->at_ms());
}

}  // namespace sockdoc
