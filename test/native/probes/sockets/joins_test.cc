#include <gtest/gtest.h>
#include <sys/socket.h>

#include "probes/sockets/local_pairs.h"

namespace sockdoc {
namespace {

Address v4(std::uint8_t last, std::uint8_t first = 10) {
  Address address{};
  address[10] = address[11] = 0xff;
  address[12] = first;
  address[15] = last;
  return address;
}

ListenerRow listener(const Address& local, std::uint16_t port, std::uint32_t inode, std::uint8_t family = AF_INET) {
  ListenerRow row;
  row.socket.family = family;
  row.socket.state = kListen;
  row.socket.local = local;
  row.socket.local_port = port;
  row.socket.inode = inode;
  return row;
}

ConnectionLink link(const Address& local, std::uint16_t local_port, const Address& remote, std::uint16_t remote_port,
                    std::uint32_t inode, std::uint8_t state = kEstablished) {
  ConnectionLink made;
  made.local = local;
  made.local_port = local_port;
  made.remote = remote;
  made.remote_port = remote_port;
  made.family = AF_INET;
  made.state = state;
  made.inode = inode;
  made.bytes = 100;
  made.segments = 3;
  return made;
}

TEST(Descriptors, OwnersComeInOrderAndOncePerProcess) {
  const auto table = DescriptorTable::of({{7, 0, 3, 0}, {9, 0, 4, 0}, {7, 0, 5, 0}, {7, 2, 3, 0}});
  std::vector<std::pair<std::uint32_t, int>> owners;
  table.for_each_owner(7, [&](const HeldSocket& held) { owners.emplace_back(held.process, held.fd); });
  EXPECT_EQ(owners, (std::vector<std::pair<std::uint32_t, int>>{{0, 3}, {2, 3}}));
  EXPECT_EQ(table.find(8), DescriptorTable::kNone);
  EXPECT_EQ(table.find(0), DescriptorTable::kNone) << "0 is no inode: the socket has no descriptor";
  EXPECT_EQ(DescriptorTable::of({}).find(7), DescriptorTable::kNone);
}

TEST(Descriptors, FindsEachOfMany) {
  std::vector<HeldSocket> held;
  for (std::uint32_t i = 1; i <= 50'000; ++i) held.push_back({i * 16, i, 3, 0});
  const auto table = DescriptorTable::of(held);
  for (std::uint32_t i = 1; i <= 50'000; ++i) ASSERT_EQ(table.at(table.find(i * 16)).process, i);
}

TEST(Listeners, ExactAddressBeforeWildcard) {
  std::vector<ListenerRow> rows = {listener(v4(0, 0), 80, 1), listener(v4(1), 80, 2)};
  const auto table = DescriptorTable::of({{11, 0, 3, 0}, {12, 0, 4, 0}});
  ListenerIndex index(rows);
  index.attribute({link(v4(1), 80, v4(9), 4000, 11), link(v4(2), 80, v4(9), 4001, 12),
                   link(v4(1), 80, v4(9), 4002, 0, kSynReceived), link(v4(1), 80, v4(9), 4003, 0, kTimeWait),
                   link(v4(1), 81, v4(9), 4004, 0)},
                  table);
  EXPECT_EQ(rows[0].connections, 1u);
  EXPECT_EQ(rows[1].connections, 1u);
  EXPECT_EQ(rows[1].syn_received, 1u);
  EXPECT_EQ(rows[1].serving.at(0), 1u);
}

TEST(Listeners, ADualStackListenerTakesMappedConnectionsOnly) {
  std::vector<ListenerRow> rows = {listener(Address{}, 80, 1, AF_INET6)};
  ConnectionLink mapped = link(v4(1), 80, v4(9), 4000, 11);
  ListenerIndex index(rows);
  EXPECT_FALSE(index.accepted(mapped)) << "a connection of AF_INET did not come in by it";
  mapped.family = AF_INET6;
  EXPECT_TRUE(index.accepted(mapped));
}

TEST(Listeners, ReuseportConnectionsGoToTheirProcess) {
  std::vector<ListenerRow> rows = {listener(v4(0, 0), 80, 1), listener(v4(0, 0), 80, 2)};
  const auto table = DescriptorTable::of({{1, 0, 3, 0}, {2, 1, 3, 0}, {21, 1, 4, 0}, {22, 1, 5, 0}});
  ListenerIndex index(rows);
  index.attribute({link(v4(1), 80, v4(9), 4000, 21), link(v4(1), 80, v4(9), 4001, 22)}, table);
  EXPECT_EQ(rows[0].connections, 0u);
  EXPECT_EQ(rows[1].connections, 2u);
}

TEST(PortUse, CountsOutgoingConnectionsOfTheRange) {
  std::vector<ListenerRow> rows = {listener(v4(1), 40000, 1)};
  const ListenerIndex listeners(rows);
  const auto table = DescriptorTable::of({{11, 5, 3, 0}, {12, 6, 3, 0}, {13, 6, 4, 0}});
  const std::vector<ConnectionLink> links = {
      link(v4(1), 40001, v4(2), 443, 11), link(v4(1), 40002, v4(2), 443, 12),
      link(v4(1), 40003, v4(2), 443, 13), link(v4(1), 40004, v4(2), 443, 0, kTimeWait),
      link(v4(1), 40005, v4(3), 443, 0),  link(v4(1), 40000, v4(2), 5000, 0),  // came in by the listener
      link(v4(1), 1000, v4(2), 443, 0),                                        // below the range
  };
  const auto uses = port_use(links, listeners, table, {32768, 60999}, 50);
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].in_use, 4u);
  EXPECT_EQ(uses[0].time_wait, 1u);
  EXPECT_EQ(uses[0].process, 6u);
  EXPECT_EQ(uses[1].in_use, 1u);
  EXPECT_EQ(uses[1].process, DescriptorTable::kNone);
  EXPECT_EQ(port_use(links, listeners, table, {32768, 60999}, 1).size(), 1u);
}

TEST(LocalPairs, JoinsTheTwoEnds) {
  std::vector<NetnsSockets> namespaces(1);
  namespaces[0].listeners = {listener(v4(0, 0), 50000, 1)};
  namespaces[0].links = {link(v4(1, 127), 40001, v4(1, 127), 50000, 11), link(v4(1, 127), 50000, v4(1, 127), 40001, 12),
                         link(v4(1, 127), 40002, v4(1, 127), 50000, 13), link(v4(1, 127), 50000, v4(1, 127), 40002, 14),
                         link(v4(1), 40003, v4(9), 443, 15)};
  const auto table = DescriptorTable::of({{11, 1, 3, 0}, {12, 2, 3, 0}, {13, 1, 4, 0}, {14, 2, 4, 0}, {15, 1, 5, 0}});
  const auto pairs = local_pairs(namespaces, table, 50);
  ASSERT_EQ(pairs[0].size(), 1u);
  EXPECT_EQ(pairs[0][0].client, 1u);
  EXPECT_EQ(pairs[0][0].server, 2u) << "the listener decides, not the lower port";
  EXPECT_EQ(pairs[0][0].server_port, 50000);
  EXPECT_EQ(pairs[0][0].connections, 2u);
  EXPECT_EQ(pairs[0][0].bytes, 200u);
  EXPECT_EQ(pairs[0][0].segments, 6u);
}

TEST(LocalPairs, AcrossNamespacesOnlyWhereUnambiguous) {
  std::vector<NetnsSockets> namespaces(3);
  namespaces[0].links = {link(v4(1), 40001, v4(2), 80, 11), link(v4(1, 127), 40002, v4(1, 127), 80, 13)};
  namespaces[1].links = {link(v4(2), 80, v4(1), 40001, 12), link(v4(1, 127), 80, v4(1, 127), 40002, 14)};
  const auto table = DescriptorTable::of({{11, 1, 3, 0}, {12, 2, 3, 0}, {13, 1, 4, 0}, {14, 2, 4, 0}, {15, 3, 3, 0}});
  auto pairs = local_pairs(namespaces, table, 50);
  ASSERT_EQ(pairs[0].size(), 1u) << "loopback does not leave its namespace";
  EXPECT_EQ(pairs[0][0].server, 2u);
  EXPECT_TRUE(pairs[1].empty()) << "each connection once, where its client is";

  namespaces[2].links = {link(v4(2), 80, v4(1), 40001, 15)};  // another network with the same addresses
  pairs = local_pairs(namespaces, table, 50);
  EXPECT_TRUE(pairs[0].empty());
}

}  // namespace
}  // namespace sockdoc
