#include "probes/connections/table_totals.h"

#include <cmath>

namespace sockdoc {

void Traffic::add(const RowView& view) {
  if (!view.has_rates()) return;
  send_bps += view.send_bps().value_or(0);
  receive_bps += view.receive_bps().value_or(0);
  retransmits_per_s += view.retransmits_per_s().value_or(0);
}

void Traffic::write(Json& json) const {
  if (!windowed) return;
  const auto field = [&](std::string_view name, double value) { json.field(name, std::round(value * 1000) / 1000); };
  field("sendBps", send_bps);
  field("receiveBps", receive_bps);
  field("retransmitsPerS", retransmits_per_s);
}

TableTotals TableTotals::of(TableReading& reading) {
  TableTotals totals;
  for (const TableNetns& netns : reading.netns) totals.all.windowed |= netns.window_ms > 0;
  Traffic none;
  none.windowed = totals.all.windowed;
  totals.of_process.resize(reading.processes.all().size(), none);
  for (TableRow& row : reading.rows) {
    const RowView view(reading, row);
    ++totals.states[row.socket.state];
    totals.all.add(view);
    row.owners = 0;
    row.first_held = reading.descriptors.find(row.socket.inode);
    reading.descriptors.for_each_owner_from(row.first_held, [&](const HeldSocket& held) {
      ++row.owners;
      ++reading.processes.at(held.process).tcp[row.socket.state];
      totals.of_process[held.process].add(view);
    });
    if (row.owners == 0 && row.socket.inode != 0) ++totals.ownerless;
  }
  return totals;
}

}  // namespace sockdoc
