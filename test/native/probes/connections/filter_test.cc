#include "probes/connections/filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "json_reader.h"
#include "probes/connections/peers.h"
#include "table_rows.h"

namespace sockdoc {
namespace {

/** The table of cases that the evaluation in TypeScript is held to as well. */
JsonValue shared_cases() {
  std::ifstream file(SOCKDOC_SOURCE_DIR "/test/support/filter-cases.json");
  std::stringstream text;
  text << file.rdbuf();
  return JsonReader::read(text.str());
}

/** A row with the fields of a ConnectionRow; what is not given, the kernel did not tell. */
class CaseRow {
 public:
  explicit CaseRow(const JsonValue& fields) : fields_(fields), made_(1000) {
    InetSocket socket = socket_of(text("local", "127.0.0.1:1"), text("remote", "127.0.0.1:2"), 7);
    socket.uid = static_cast<std::uint32_t>(number("uid"));
    socket.send_queue = static_cast<std::uint32_t>(number("sendQueueBytes"));
    socket.receive_queue = static_cast<std::uint32_t>(number("recvQueueBytes"));
    socket.memory.present = fields.has("drops");
    const std::string cc = text("congestionControl", "");
    std::copy(cc.begin(), cc.end(), socket.congestion_control.begin());
    for (std::uint8_t state = 1; state < kTcpStates; ++state) {
      if (tcp_state_name(state) == text("state", "established")) socket.state = state;
    }
    fill_info(socket.info);
    made_.reading.netns.front().label = text("netns", "");
    made_.add(socket).local = number("isLocal") > 0;
    add_processes(socket);
    if (fields.has("ageMs")) row().began_ms = 1'000'000 - number("ageMs");
    if (fields.has("rates")) add_rates(fields["rates"]);
  }

  bool matches(const Filter& filter) { return sockdoc::matches(filter, RowView(made_.reading, row())); }

 private:
  TableRow& row() { return made_.reading.rows.front(); }
  double number(const std::string& name) const { return fields_.has(name) ? fields_[name].number : 0; }
  std::string text(const std::string& name, const std::string& otherwise) const {
    return fields_.has(name) ? fields_[name].text : otherwise;
  }

  /** As long as a tcp_info must be to have the last field that is given. */
  template <typename T>
  void field(TcpInfo& info, const std::string& name, T TcpInfoFields::*member) {
    if (!fields_.has(name)) return;
    info.fields.*member = static_cast<T>(fields_[name].number);
    reach(info, member);
  }
  template <typename T>
  void reach(TcpInfo& info, T TcpInfoFields::*member) {
    const auto start =
        reinterpret_cast<const char*>(&(info.fields.*member)) - reinterpret_cast<const char*>(&info.fields);
    info.length = std::max(info.length, static_cast<std::uint32_t>(start + sizeof(T)));
  }

  void fill_info(TcpInfo& info) {
    info.length = 0;
    field(info, "rttUs", &TcpInfoFields::rtt);
    if (fields_.has("rttVarUs")) info.fields.rtt = std::max(info.fields.rtt, 1u);
    field(info, "rttVarUs", &TcpInfoFields::rttvar);
    field(info, "minRttUs", &TcpInfoFields::min_rtt);
    field(info, "retransmits", &TcpInfoFields::total_retrans);
    field(info, "notSentBytes", &TcpInfoFields::notsent_bytes);
    field(info, "bytesSent", &TcpInfoFields::bytes_sent);
    field(info, "bytesReceived", &TcpInfoFields::bytes_received);
    field(info, "cwndSegments", &TcpInfoFields::snd_cwnd);
    field(info, "idleMs", &TcpInfoFields::last_data_sent);
    if (fields_.has("idleMs")) info.fields.last_data_recv = ~0u;
    if (fields_.has("deliveryRateBps")) {
      info.fields.delivery_rate = static_cast<std::uint64_t>(number("deliveryRateBps") / 8);
      reach(info, &TcpInfoFields::delivery_rate);
    }
    if (fields_.has("limitedBy")) {  // the one of the cases: everything that is sent waits for the window
      info.fields.notsent_bytes = info.fields.snd_mss = 1000;
      reach(info, &TcpInfoFields::snd_wnd);
    }
  }

  void add_processes(const InetSocket& socket) {
    if (fields_.has("pid") || fields_.has("comm") || fields_.has("fd") || fields_.has("container")) {
      made_.process(static_cast<int>(number("pid")), text("comm", ""), {socket.inode});
      row().held = made_.reading.descriptors.find(socket.inode);
    }
    made_.reading.containers = {text("container", "")};
    if (!fields_.has("peer")) return;
    const JsonValue& peer = fields_["peer"];
    InetSocket other = socket;
    std::swap(other.local, other.remote);
    std::swap(other.local_port, other.remote_port);
    other.inode = 8;
    made_.add(other);
    made_.process(static_cast<int>(peer["pid"].number), peer["comm"].text, {other.inode});
    join_peers(made_.reading);
  }

  /** Counters of a second ago. */
  void add_rates(const JsonValue& rates) {
    TcpInfo& info = row().socket.info;
    const auto moved = [&](const std::string& name, auto member, double per) {
      if (!rates.has(name)) return;
      info.fields.*member =
          static_cast<std::remove_reference_t<decltype(info.fields.*member)>>(rates[name].number / per);
      reach(info, member);
    };
    moved("retransmitsPerS", &TcpInfoFields::total_retrans, 1);
    moved("receiveBps", &TcpInfoFields::bytes_received, 8);
    moved("sendBps", &TcpInfoFields::bytes_sent, 8);
    info.length = std::max(info.length, 1u);
    row().before = &nothing_;
  }

  const JsonValue& fields_;
  MadeReading made_;
  ConnectionCounters nothing_{};
};

Filter filter_of(const JsonValue& terms) {
  Filter filter;
  for (const JsonValue& term : terms.items) {
    std::vector<FilterValue> values;
    for (const JsonValue& value : term["values"].items) {
      if (value.kind == JsonValue::Kind::number) {
        values.push_back({value.number, {}});
      } else {
        values.push_back({std::nullopt, value.text});
      }
    }
    const auto field = field_named(term["field"].text);
    const auto operation = operator_named(term["operator"].text);
    EXPECT_TRUE(field && operation) << term["field"].text;
    if (field && operation) filter.emplace_back(*field, *operation, std::move(values));
  }
  return filter;
}

bool in_whole_bytes(const JsonValue& row) {
  if (!row.has("rates")) return true;
  const auto whole = [&](const char* name) {
    return !row["rates"].has(name) || std::fmod(row["rates"][name].number, 8) == 0;
  };
  return whole("sendBps") && whole("receiveBps");
}

TEST(Filter, DecidesEveryCaseAsTheOtherEvaluation) {
  const JsonValue cases = shared_cases();
  ASSERT_GT(cases.items.size(), 60u);
  for (const JsonValue& one : cases.items) {
    if (one["row"].has("transport")) continue;  // only the kernel's is found natively so far
    if (!in_whole_bytes(one["row"])) continue;  // counters of bytes cannot move by that
    CaseRow row(one["row"]);
    EXPECT_EQ(row.matches(filter_of(one["filter"])), one["matches"].number > 0) << one["text"].text;
  }
}

TEST(Filter, ComparesRatesOfTheWindow) {
  MadeReading made(2000);
  InetSocket socket = socket_of("10.0.0.1:1", "10.0.0.2:2");
  socket.info.fields.bytes_sent = 3000;
  socket.info.fields.bytes_retrans = 500;
  ConnectionCounters before{};
  before.sent = 1000;
  made.add(socket).before = &before;
  const RowView view(made.reading, made.reading.rows.front());
  EXPECT_DOUBLE_EQ(view.send_bps().value_or(0), (2000 - 500) * 8 / 2.0) << "retransmissions are no payload";
  EXPECT_TRUE(FilterTerm(Field::tx, Operator::at_least, {{6000, ""}}).meets(view));
  EXPECT_FALSE(FilterTerm(Field::tx, Operator::greater, {{6000, ""}}).meets(view));
}

TEST(Filter, NamesAreThoseOfTheModel) {
  EXPECT_EQ(field_named("local"), Field::local);
  EXPECT_EQ(field_named("pid"), Field::pid);
  EXPECT_FALSE(field_named("nonsense"));
  EXPECT_EQ(operator_named("<="), Operator::at_most);
  EXPECT_FALSE(operator_named("=="));
}

TEST(Filter, APrefixMustBeOne) {
  EXPECT_TRUE(parse_prefix("10.0.0.0/8"));
  EXPECT_TRUE(parse_prefix("::/0"));
  for (const char* wrong : {"", "10.0.0", "10.0.0.0/33", "::1/129", "name", "10.0.0.0/x"}) {
    EXPECT_FALSE(parse_prefix(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace sockdoc
