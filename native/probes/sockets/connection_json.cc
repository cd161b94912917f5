#include <cstdio>

#include "probes/sockets/sockets_json.h"

namespace sockdoc {
namespace {

using Fields = TcpInfoFields;

constexpr std::uint32_t kInfiniteThreshold = 0x7fffffff;  // TCP_INFINITE_SSTHRESH: slow start has not ended yet
constexpr std::uint32_t kNoMinRtt = ~0u;

/** Writes fields of a tcp_info as far as the kernel gave them. */
class InfoWriter {
 public:
  InfoWriter(Json& json, const TcpInfo& info) : json_(json), info_(info) {}

  template <typename T>
  void field(std::string_view name, T Fields::*field) {
    if (info_.has(field)) json_.field(name, info_.fields.*field);
  }

 private:
  Json& json_;
  const TcpInfo& info_;
};

void write_timing(Json& json, const TcpInfo& info) {
  InfoWriter writer(json, info);
  writer.field("rttUs", &Fields::rtt);
  writer.field("rttVarUs", &Fields::rttvar);
  if (info.has(&Fields::min_rtt) && info.fields.min_rtt != kNoMinRtt) json.field("minRttUs", info.fields.min_rtt);
  writer.field("receiveRttUs", &Fields::rcv_rtt);
  writer.field("rtoUs", &Fields::rto);
  writer.field("lastDataSentMs", &Fields::last_data_sent);
  writer.field("lastDataReceivedMs", &Fields::last_data_recv);
  writer.field("lastAckReceivedMs", &Fields::last_ack_recv);
  writer.field("busyUs", &Fields::busy_time);
  writer.field("receiveWindowLimitedUs", &Fields::rwnd_limited);
  writer.field("sendBufferLimitedUs", &Fields::sndbuf_limited);
}

void write_windows(Json& json, const TcpInfo& info) {
  InfoWriter writer(json, info);
  writer.field("cwndSegments", &Fields::snd_cwnd);
  if (info.has(&Fields::snd_ssthresh) && info.fields.snd_ssthresh < kInfiniteThreshold) {
    json.field("ssthreshSegments", info.fields.snd_ssthresh);
  }
  writer.field("mssBytes", &Fields::snd_mss);
  writer.field("pmtuBytes", &Fields::pmtu);
  writer.field("receiveSpaceBytes", &Fields::rcv_space);
  writer.field("sendWindowBytes", &Fields::snd_wnd);
  writer.field("receiveWindowBytes", &Fields::rcv_wnd);
  if ((info.fields.options & 4) != 0) {
    json.field("windowScaleSend", info.fields.window_scales & 15);
    json.field("windowScaleReceive", info.fields.window_scales >> 4);
  }
}

void write_counters(Json& json, const TcpInfo& info) {
  InfoWriter writer(json, info);
  writer.field("unackedSegments", &Fields::unacked);
  writer.field("lostSegments", &Fields::lost);
  writer.field("notSentBytes", &Fields::notsent_bytes);
  writer.field("retransmits", &Fields::total_retrans);
  writer.field("backoff", &Fields::backoff);
  writer.field("bytesSent", &Fields::bytes_sent);
  writer.field("bytesRetransmitted", &Fields::bytes_retrans);
  writer.field("bytesAcked", &Fields::bytes_acked);
  writer.field("bytesReceived", &Fields::bytes_received);
  writer.field("segmentsOut", &Fields::segs_out);
  writer.field("segmentsIn", &Fields::segs_in);
  if (info.has(&Fields::delivery_rate)) {
    json.field("deliveryRateBps", static_cast<double>(info.fields.delivery_rate) * 8);
    json.field("applicationLimited", (info.fields.flags & 1) != 0);
  }
}

void write_state(Json& json, const InetSocket& socket) {
  static constexpr std::string_view kOptions[] = {"timestamps", "sack", "wscale", "ecn", "ecn-seen", "syn-data"};
  static constexpr std::string_view kStates[] = {"open", "disorder", "cwr", "recovery", "loss"};
  const Fields& info = socket.info.fields;
  json.key("tcpOptions").begin_array();
  for (unsigned bit = 0; bit < std::size(kOptions); ++bit) {
    if ((info.options >> bit & 1) != 0) json.value(kOptions[bit]);
  }
  json.end_array();
  if (socket.congestion_control[0] != '\0') json.field("congestionControl", socket.congestion_control.data());
  if (info.ca_state < std::size(kStates)) json.field("caState", kStates[info.ca_state]);
}

void write_options(Json& json, const SocketOptions& options) {
  const auto field = [&](std::string_view name, const auto& value) {
    if (value) json.field(name, *value);
  };
  json.key("options").begin_object();
  field("noDelay", options.no_delay);
  field("receiveBufferLocked", options.receive_buffer_locked);
  field("sendBufferLocked", options.send_buffer_locked);
  field("zeroCopy", options.zero_copy);
  field("keepAlive", options.keep_alive);
  field("keepIdleS", options.keep_idle_s);
  field("notSentLowWaterBytes", options.not_sent_low_water);
  field("incomingCpu", options.incoming_cpu);
  field("busyPollUs", options.busy_poll_us);
  json.end_object();
}

void write_window(Json& json, const ConnectionRow& row) {
  const ConnectionCounters& moved = row.activity.moved;
  const TcpInfo& info = row.socket.info;
  const auto field = [&](std::string_view name, auto source, auto value) {
    if (info.has(source)) json.field(name, value);
  };
  json.key("window").begin_object().field("ms", row.activity.ms);
  field("bytesSent", &Fields::bytes_sent, moved.sent);
  field("bytesReceived", &Fields::bytes_received, moved.received);
  field("segmentsOut", &Fields::segs_out, moved.segments_out);
  field("segmentsIn", &Fields::segs_in, moved.segments_in);
  field("dataSegmentsOut", &Fields::data_segs_out, moved.data_segments_out);
  field("dataSegmentsIn", &Fields::data_segs_in, moved.data_segments_in);
  field("retransmits", &Fields::total_retrans, moved.retransmits);
  field("busyUs", &Fields::busy_time, moved.busy_us);
  field("receiveWindowLimitedUs", &Fields::rwnd_limited, moved.receive_window_limited_us);
  field("sendBufferLimitedUs", &Fields::sndbuf_limited, moved.send_buffer_limited_us);
  if (row.socket.memory.present) json.field("drops", moved.drops);
  if (row.activity.cwnd_first > 0) json.field("cwndSegmentsFirst", row.activity.cwnd_first);
  if (row.activity.opened) json.field("opened", true);
  json.end_object();
}

}  // namespace

std::string cookie_text(std::uint64_t cookie) {
  char text[20];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(cookie));
  return text;
}

void write_memory(Json& json, const SocketMemory& memory) {
  static constexpr std::string_view kNames[] = {"receiveAlloc", "receiveBuffer", "sendAlloc",
                                                "sendBuffer",   "forwardAlloc",  "sendQueued",
                                                "optionMemory", "backlog",       "drops"};
  if (!memory.present) return;
  json.key("memory").begin_object();
  for (std::size_t i = 0; i < memory.values.size(); ++i) json.field(kNames[i], memory.values[i]);
  json.end_object();
}

void write_owner(Json& json, std::uint32_t inode, const RowContext& context, bool count) {
  const HeldSocket* first = nullptr;
  int owners = 0;
  context.descriptors.for_each_owner(inode, [&](const HeldSocket& held) {
    if (owners++ == 0) first = &held;
  });
  if (first != nullptr) {
    const ProcessEntry& process = context.processes.at(first->process);
    json.field("pid", process.pid).field("comm", process.stat.comm).field("fd", first->fd);
  }
  if (count) json.field("ownerCount", owners);
}

void write_connection(Json& json, const ConnectionRow& row, const NetnsSockets& netns, const RowContext& context) {
  const InetSocket& socket = row.socket;
  json.begin_object();
  json.field("local", endpoint_text(socket.family, socket.local, socket.local_port));
  json.field("remote", endpoint_text(socket.family, socket.remote, socket.remote_port));
  json.field("state", tcp_state_name(socket.state)).field("cookie", cookie_text(socket.cookie));
  json.field("inode", socket.inode).field("uid", socket.uid);
  write_owner(json, socket.inode, context, true);
  if (const auto found = netns.interfaces.find(socket.interface); found != netns.interfaces.end()) {
    json.field("interface", found->second);
  }
  json.key("picked").begin_array();
  for (std::uint8_t i = 0; i < kReasons; ++i) {
    if ((row.reasons >> i & 1) != 0) json.value(reason_name(static_cast<Reason>(i)));
  }
  json.end_array();
  json.field("sendQueueBytes", socket.send_queue).field("recvQueueBytes", socket.receive_queue);
  if (socket.info.length > 0) {
    write_timing(json, socket.info);
    write_windows(json, socket.info);
    write_counters(json, socket.info);
    write_state(json, socket);
  }
  write_memory(json, socket.memory);
  if (const auto found = context.options.find(socket.cookie); found != context.options.end()) {
    write_options(json, found->second);
  }
  if (row.activity.windowed) write_window(json, row);
  json.end_object();
}

}  // namespace sockdoc
