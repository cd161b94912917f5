#include "probes/connections/connection_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "json_reader.h"
#include "live_sockets.h"

namespace sockdoc {
namespace {

FilterTerm port_is(std::uint16_t port) { return {Field::port, Operator::equal, {{static_cast<double>(port), ""}}}; }

/** Rows of our own sockets at this port. */
struct Answer {
  JsonValue head;
  std::vector<JsonValue> rows;

  explicit Answer(const ConnectionsAnswer& answer)
      : head(JsonReader::read(answer.head)), rows(JsonReader::read(answer.rows).items) {}

  const JsonValue& at(const std::string& local) const {
    for (const JsonValue& row : rows) {
      if (row["local"].text == local) return row;
    }
    throw std::runtime_error("no row " + local);
  }
};

class ConnectionTableTest : public ::testing::Test {
 protected:
  /** Of our own process only: the port may have been another's, whose connections still wait (TIME_WAIT). */
  Answer read() {
    ConnectionsRequest request;
    request.netns = {{"", ""}};
    request.processes = true;
    request.selection.filter = {port_is(port_)};
    request.selection.pids = {::getpid()};
    return Answer(table_.read(request));
  }

  Fd listener_ = listening(5);
  std::uint16_t port_ = port_of(listener_);
  Fd client_ = connected_to(listener_);
  std::string client_name_ = "127.0.0.1:" + std::to_string(port_of(client_));
  std::string server_name_ = "127.0.0.1:" + std::to_string(port_);
  ConnectionTable table_;
};

TEST_F(ConnectionTableTest, RowsHaveTheirProcessTheirOtherEndAndNothingUnknown) {
  const Fd accepted = accepted_from(listener_);
  const Answer answer = read();
  ASSERT_EQ(answer.rows.size(), 3u);
  EXPECT_EQ(answer.head["totals"]["matching"].number, 3);
  const JsonValue& client = answer.at(client_name_);
  EXPECT_EQ(client["pid"].number, ::getpid());
  EXPECT_EQ(client["fd"].number, client_.get());
  EXPECT_EQ(client["inode"].number, inode_of(client_));
  EXPECT_EQ(client["state"].text, "established");
  EXPECT_EQ(client["peer"]["fd"].number, accepted.get());
  EXPECT_EQ(client["limitedBy"].text, "application");
  EXPECT_FALSE(client.has("rates")) << "one reading has no rates";
  EXPECT_FALSE(client.has("ageMs")) << "its beginning was not seen";
  for (const JsonValue& row : answer.rows) {
    if (row["state"].text != "listen") continue;
    EXPECT_EQ(row["sendQueueBytes"].number, 5);
    EXPECT_FALSE(row.has("rttUs") || row.has("bytesSent") || row.has("limitedBy") || row.has("idleMs"));
  }
}

TEST_F(ConnectionTableTest, TheSecondReadingHasRatesAndAgesOfWhatIsNew) {
  const Fd accepted = accepted_from(listener_);
  (void)read();
  ASSERT_EQ(::write(client_.get(), "hello", 5), 5);
  const Fd fresh = connected_to(listener_);
  const Answer answer = read();
  const double window = answer.head["windowMs"].number;
  ASSERT_GT(window, 0);
  const JsonValue& client = answer.at(client_name_);
  EXPECT_NEAR(client["rates"]["sendBps"].number, 5 * 8 * 1000 / window, 0.01);
  EXPECT_EQ(client["rates"]["retransmitsPerS"].number, 0);
  EXPECT_FALSE(client.has("ageMs"));
  const JsonValue& newcomer = answer.at("127.0.0.1:" + std::to_string(port_of(fresh)));
  EXPECT_LE(newcomer["ageMs"].number, window);
  double sent = 0;
  for (const JsonValue& process : answer.head["processes"].items) {
    if (process["process"]["pid"].number == ::getpid()) sent = process["traffic"]["sendBps"].number;
  }
  EXPECT_GE(sent, client["rates"]["sendBps"].number - 0.01);
}

TEST_F(ConnectionTableTest, SelectingAnewReadsNothing) {
  const Answer first = read();
  const Fd later = connected_to(listener_);
  ConnectionSelection selection;
  selection.filter = {port_is(port_)};
  selection.pids = {::getpid()};
  selection.limit = 1;
  selection.sort = Sort::port;
  selection.keep = {std::stoull(first.at(server_name_)["cookie"].text, nullptr, 16)};
  selection.row_per_line = true;
  const Answer second(table_.select(selection));
  EXPECT_EQ(second.head["monotonicMs"].number, first.head["monotonicMs"].number);
  EXPECT_EQ(second.head["totals"]["matching"].number, static_cast<double>(first.rows.size()));
  EXPECT_LE(second.rows.size(), 2u);
  EXPECT_NO_THROW((void)second.at(server_name_)) << "kept whatever the limit";
  EXPECT_EQ(ConnectionTable().select(selection).rows, "") << "nothing was read yet";
}

TEST_F(ConnectionTableTest, WithoutAReadingThereIsNoNumberOfSockets) {
  ConnectionsRequest request;
  request.netns = {{"/proc/self/ns/none", "none"}};
  const Answer unread(table_.read(request));
  EXPECT_FALSE(unread.head.has("totals"));
  ASSERT_EQ(unread.head["gaps"].items.size(), 1u);
  request.netns.push_back({"", ""});
  const Answer half(table_.read(request));
  EXPECT_GE(half.head["totals"]["sockets"].number, 2);
  EXPECT_EQ(half.head["gaps"].items.at(0)["what"].text, unread.head["gaps"].items[0]["what"].text);
}

TEST_F(ConnectionTableTest, OfAProcessOnly) {
  ConnectionsRequest request;
  request.netns = {{"", ""}};
  request.selection.pids = {::getpid()};
  const Answer ours(table_.read(request));
  EXPECT_GE(ours.rows.size(), 2u);
  for (const JsonValue& row : ours.rows) EXPECT_EQ(row["pid"].number, ::getpid());
  request.selection.pids = {1 << 29};
  EXPECT_EQ(Answer(table_.read(request)).rows.size(), 0u);
}

}  // namespace
}  // namespace sockdoc
