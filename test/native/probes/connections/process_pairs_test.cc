#include "probes/connections/process_pairs.h"

#include <gtest/gtest.h>

#include "probes/connections/peers.h"
#include "probes/connections/table_totals.h"
#include "table_rows.h"

namespace sockdoc {
namespace {

InetSocket listener(const std::string& at, std::uint32_t inode) {
  InetSocket socket = socket_of(at, "0.0.0.0:0", inode);
  socket.state = kListen;
  return socket;
}

std::vector<ProcessPair> pairs_of(MadeReading& made) {
  join_peers(made.reading);
  TableTotals::of(made.reading);
  return process_pairs(made.reading);
}

TEST(ProcessPairs, ConnectionsOfTwoProcessesAreOnePairWhateverThePort) {
  MadeReading made;
  made.add(listener("0.0.0.0:9000", 1));
  made.add(socket_of("127.0.0.1:9000", "127.0.0.1:4000", 2));
  made.add(socket_of("127.0.0.1:4000", "127.0.0.1:9000", 3));
  made.add(socket_of("127.0.0.1:80", "127.0.0.1:4001", 4));
  made.add(socket_of("127.0.0.1:4001", "127.0.0.1:80", 5));
  made.process(10, "server", {1, 2, 4});
  made.process(20, "client", {3, 5});
  const auto pairs = pairs_of(made);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(made.reading.processes.at(pairs[0].client).pid, 20);
  EXPECT_EQ(made.reading.processes.at(pairs[0].server).pid, 10);
  EXPECT_EQ(pairs[0].ports, (std::set<std::uint16_t>{80, 9000}));
  EXPECT_EQ(pairs[0].connections, 2u);
  EXPECT_EQ(pairs[0].windowed, 0u) << "one reading has no rates";
}

TEST(ProcessPairs, TheServerIsWhoListensAlsoWithTheHigherPort) {
  MadeReading made;
  made.add(listener("0.0.0.0:60000", 1));
  made.add(socket_of("127.0.0.1:60000", "127.0.0.1:400", 2));
  made.add(socket_of("127.0.0.1:400", "127.0.0.1:60000", 3));
  made.process(10, "server", {1, 2});
  made.process(20, "client", {3});
  EXPECT_EQ(made.reading.processes.at(pairs_of(made).at(0).server).pid, 10);
}

TEST(ProcessPairs, OneEndWithoutAProcessIsNoPairAndAProcessMayTalkToItself) {
  MadeReading made;
  made.add(socket_of("127.0.0.1:80", "127.0.0.1:4000", 1));
  made.add(socket_of("127.0.0.1:4000", "127.0.0.1:80", 2));
  made.add(socket_of("127.0.0.1:81", "127.0.0.1:4001", 3));
  made.add(socket_of("127.0.0.1:4001", "127.0.0.1:81", 4));
  made.process(10, "both", {3, 4});
  made.process(20, "half", {1});
  const auto pairs = pairs_of(made);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].client, pairs[0].server);
  EXPECT_EQ(pairs[0].connections, 1u);
}

TEST(ProcessPairs, TrafficIsSummedAndTheBusiestComesFirst) {
  MadeReading made(1000);
  // What moved since a reading that had zeros everywhere.
  const ConnectionCounters zero{};
  const auto talking = [&](const std::string& server, const std::string& client, std::uint32_t inode,
                           std::uint32_t segments) {
    InetSocket other = socket_of(client, server, inode + 1);
    other.info.fields.bytes_acked = other.info.fields.bytes_sent = segments * 100;
    other.info.fields.bytes_received = segments * 10;
    other.info.fields.data_segs_out = segments;
    other.info.fields.data_segs_in = segments;
    made.add(socket_of(server, client, inode));
    made.add(other).before = &zero;
  };
  talking("127.0.0.1:80", "127.0.0.1:4000", 1, 10);
  talking("127.0.0.1:81", "127.0.0.1:4001", 3, 500);
  talking("127.0.0.1:81", "127.0.0.1:4002", 5, 500);
  made.process(10, "idle", {1, 2});
  made.process(20, "server", {3, 5});
  made.process(30, "client", {4, 6});
  made.process(40, "child", {4});
  made.reading.transports.ends.emplace(4, Transports::End{.shared = true});
  const auto pairs = pairs_of(made);
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(made.reading.processes.at(pairs[0].server).pid, 20);
  EXPECT_EQ(pairs[0].windowed, 2u);
  EXPECT_DOUBLE_EQ(pairs[0].to_server.segments, 1000);
  EXPECT_DOUBLE_EQ(pairs[0].to_server.bytes, 100'000);
  EXPECT_DOUBLE_EQ(pairs[0].to_client.bytes, 10'000);
  EXPECT_EQ(pairs[0].several_holders, 1u);
  EXPECT_EQ(pairs[0].by_memory, 1u);
}

TEST(TableTotals, CountWhatCarriesAllConnectionsAndWhy) {
  MadeReading made;
  made.add(listener("0.0.0.0:80", 1));
  made.add(socket_of("127.0.0.1:80", "127.0.0.1:4000", 2));
  made.add(socket_of("127.0.0.1:4000", "127.0.0.1:80", 3));
  made.add(socket_of("127.0.0.1:5000", "127.0.0.1:81", 4));
  made.add(socket_of("127.0.0.1:5001", "127.0.0.1:81", 5)).socket.state = kTimeWait;
  made.process(10, "server", {1, 2});
  made.process(20, "client", {3});
  Transports& known = made.reading.transports;
  known.no_monitor.clear();
  known.clients = {10, 20};
  for (const std::uint64_t cookie : {2, 3}) known.ends.emplace(cookie, Transports::End{.shared = true});
  const TableTotals totals = TableTotals::of(made.reading);
  ASSERT_EQ(totals.carried.size(), 2u);
  EXPECT_EQ(totals.carried.at({"shm", ""}).connections, 2u);
  EXPECT_EQ(totals.carried.at({"kernel", "its process is not known"}).connections, 1u) << "TIME_WAIT is nobody's";
  EXPECT_EQ(totals.shared_of_process, (std::vector<std::uint32_t>{1, 1}));
}

}  // namespace
}  // namespace sockdoc
