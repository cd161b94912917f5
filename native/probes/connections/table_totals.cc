#include "probes/connections/table_totals.h"

#include <cmath>

namespace sockdoc {

void Traffic::add(const RowView& view) {
  if (!view.has_rates()) return;
  send_bps += view.send_bps().value_or(0);
  receive_bps += view.receive_bps().value_or(0);
  retransmits_per_s += view.retransmits_per_s().value_or(0);
  const ConnectionCounters& moved = view.activity().moved;
  data_segments_per_s += view.per_second(moved.data_segments_out).value_or(0);
  data_segments_per_s += view.per_second(moved.data_segments_in).value_or(0);
}

void Traffic::write(Json& json) const {
  if (!windowed) return;
  const auto field = [&](std::string_view name, double value) { json.field(name, std::round(value * 1000) / 1000); };
  field("sendBps", send_bps);
  field("receiveBps", receive_bps);
  field("retransmitsPerS", retransmits_per_s);
  field("dataSegmentsPerS", data_segments_per_s);
}

void TableTotals::add_carried(const RowView& view) {
  const std::uint8_t state = view.socket().state;
  if (state == kListen || state == kTimeWait || state == kBoundInactive) return;
  const Transport transport = view.transport();
  Carried& sum = carried[{transport.name, transport.reason}];
  ++sum.connections;
  if (!view.has_rates()) return;
  sum.send_bps += view.send_bps().value_or(0);
  sum.receive_bps += view.receive_bps().value_or(0);
}

void TableTotals::write_transports(Json& json) const {
  json.key("transports").begin_array();
  for (const auto& [key, sum] : carried) {
    json.begin_object().field("transport", key.first);
    if (!key.second.empty()) json.field("reason", key.second);
    json.field("connections", sum.connections);
    if (all.windowed) json.field("sendBps", std::round(sum.send_bps)).field("receiveBps", std::round(sum.receive_bps));
    json.end_object();
  }
  json.end_array();
}

TableTotals TableTotals::of(TableReading& reading) {
  TableTotals totals;
  for (const TableNetns& netns : reading.netns) totals.all.windowed |= netns.window_ms > 0;
  Traffic none;
  none.windowed = totals.all.windowed;
  totals.of_process.resize(reading.processes.all().size(), none);
  totals.shared_of_process.resize(reading.processes.all().size(), 0);
  for (TableRow& row : reading.rows) {
    const RowView view(reading, row);
    ++totals.states[row.socket.state];
    totals.all.add(view);
    row.owners = 0;
    row.first_held = row.held = reading.descriptors.find(row.socket.inode);
    totals.add_carried(view);
    const bool shared = view.transport().name == "shm";
    reading.descriptors.for_each_owner_from(row.first_held, [&](const HeldSocket& held) {
      ++row.owners;
      ++reading.processes.at(held.process).tcp[row.socket.state];
      totals.of_process[held.process].add(view);
      totals.shared_of_process[held.process] += shared ? 1 : 0;
    });
    if (row.owners == 0 && row.socket.inode != 0) ++totals.ownerless;
  }
  return totals;
}

}  // namespace sockdoc
