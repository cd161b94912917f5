#include "probes/connections/row_json.h"

#include <cmath>

#include "probes/sockets/sockets_json.h"

namespace sockdoc {
namespace {

using Fields = TcpInfoFields;

/** Rates to three places behind the point: more would be noise, and as many bytes. */
double rounded(double value) { return std::round(value * 1000) / 1000; }

void whole(Json& json, std::string_view name, std::optional<double> value) {
  if (value) json.field(name, static_cast<std::int64_t>(*value));
}

void rate(Json& json, std::string_view name, std::optional<double> value) {
  if (value) json.field(name, rounded(*value));
}

void text(Json& json, std::string_view name, std::string_view value) {
  if (!value.empty()) json.field(name, value);
}

void write_holder(Json& json, const RowView& view) {
  if (const HeldSocket* held = view.held()) {
    json.field("pid", view.owner()->pid).field("comm", view.owner()->stat.comm).field("fd", held->fd);
  }
  json.field("ownerCount", view.row().owners).field("uid", view.socket().uid).field("inode", view.socket().inode);
  text(json, "netns", view.netns().label);
  text(json, "container", view.container());
  const auto& interfaces = view.netns().interfaces;
  if (const auto bound = interfaces.find(view.socket().interface); bound != interfaces.end()) {
    json.field("interface", bound->second);
  }
}

template <typename T>
void counter(Json& json, const RowView& view, std::string_view name, T Fields::*field) {
  if (view.info().has(field)) json.field(name, view.info().fields.*field);
}

void write_timing(Json& json, const RowView& view) {
  whole(json, "rttUs", view.rtt_us());
  whole(json, "rttVarUs", view.rtt_var_us());
  whole(json, "minRttUs", view.min_rtt_us());
  counter(json, view, "retransmits", &Fields::total_retrans);
}

void write_traffic(Json& json, const RowView& view) {
  json.field("sendQueueBytes", view.socket().send_queue).field("recvQueueBytes", view.socket().receive_queue);
  counter(json, view, "notSentBytes", &Fields::notsent_bytes);
  counter(json, view, "bytesSent", &Fields::bytes_sent);
  counter(json, view, "bytesReceived", &Fields::bytes_received);
  counter(json, view, "segmentsOut", &Fields::segs_out);
  counter(json, view, "segmentsIn", &Fields::segs_in);
  whole(json, "deliveryRateBps", view.delivery_bps());
  counter(json, view, "cwndSegments", &Fields::snd_cwnd);
  counter(json, view, "mssBytes", &Fields::snd_mss);
  counter(json, view, "sendWindowBytes", &Fields::snd_wnd);
  counter(json, view, "receiveWindowBytes", &Fields::rcv_wnd);
  text(json, "congestionControl", view.socket().congestion_control.data());
  whole(json, "drops", view.drops());
}

void write_peer(Json& json, const RowView& view) {
  if (const HeldSocket* held = view.peer_held()) {
    const ProcessEntry& owner = *view.peer_owner();
    json.key("peer").begin_object();
    json.field("pid", owner.pid).field("comm", owner.stat.comm).field("fd", held->fd).end_object();
  }
  json.field("isLocal", view.row().local);
}

void write_rates(Json& json, const RowView& view) {
  const ConnectionCounters& moved = view.activity().moved;
  const auto per_second = [&](std::string_view name, auto field, std::uint64_t value) {
    if (view.info().has(field)) rate(json, name, view.per_second(value));
  };
  json.key("rates").begin_object().field("windowMs", rounded(view.activity().ms));
  rate(json, "sendBps", view.send_bps());
  rate(json, "receiveBps", view.receive_bps());
  per_second("segmentsOutPerS", &Fields::segs_out, moved.segments_out);
  per_second("segmentsInPerS", &Fields::segs_in, moved.segments_in);
  per_second("dataSegmentsOutPerS", &Fields::data_segs_out, moved.data_segments_out);
  per_second("dataSegmentsInPerS", &Fields::data_segs_in, moved.data_segments_in);
  rate(json, "retransmitsPerS", view.retransmits_per_s());
  if (view.socket().memory.present) rate(json, "dropsPerS", view.per_second(moved.drops));
  json.end_object();
}

}  // namespace

void write_row(Json& json, const RowView& view) {
  const InetSocket& socket = view.socket();
  json.begin_object().field("cookie", cookie_text(socket.cookie));
  json.field("local", endpoint_text(socket.family, socket.local, socket.local_port));
  json.field("remote", endpoint_text(socket.family, socket.remote, socket.remote_port));
  json.field("state", tcp_state_name(socket.state));
  write_holder(json, view);
  write_timing(json, view);
  write_traffic(json, view);
  whole(json, "idleMs", view.idle_ms());
  whole(json, "ageMs", view.age_ms());
  if (const auto limit = view.limit()) json.field("limitedBy", limit_name(*limit));
  write_peer(json, view);
  const Transport transport = view.transport();
  json.field("transport", transport.name);
  text(json, "reason", transport.reason);
  if (view.has_rates()) write_rates(json, view);
  json.end_object();
}

}  // namespace sockdoc
