#include "probes/netlink.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <random>

namespace sockdoc {
namespace {

std::vector<std::byte> copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

TEST(NetlinkRequest, LaysOutHeaderFixedPartAndNestedAttributes) {
  NetlinkRequest request(RTM_GETLINK, 0);
  ifinfomsg fixed{};
  fixed.ifi_index = 7;
  request.append(fixed).attribute_text(IFLA_IFNAME, "lo");
  const std::size_t nest = request.begin_nested(IFLA_LINKINFO);
  request.attribute<std::uint8_t>(1, 9).end_nested(nest);
  const auto message = copy(request.finish(5));

  const auto header = *read_as<nlmsghdr>(message);
  EXPECT_EQ(header.nlmsg_len, message.size());
  EXPECT_EQ(header.nlmsg_seq, 5u);
  EXPECT_EQ(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
  const Bytes payload = Bytes(message).subspan(sizeof(nlmsghdr));
  EXPECT_EQ(read_as<ifinfomsg>(payload)->ifi_index, 7);
  const Attributes attributes(after(payload, sizeof(ifinfomsg)));
  EXPECT_EQ(attributes.find(IFLA_IFNAME)->text(), "lo");
  EXPECT_EQ(Attributes(attributes.find(IFLA_LINKINFO)->payload).find(1)->number(), 9u);
  EXPECT_FALSE(attributes.find(99));
}

TEST(Attributes, StopsAtOneThatDoesNotFit) {
  NetlinkRequest request(RTM_GETLINK, 0);
  request.attribute<std::uint32_t>(1, 11).attribute<std::uint32_t>(2, 22);
  const auto message = copy(request.finish(1));
  const Bytes all = Bytes(message).subspan(sizeof(nlmsghdr));
  for (std::size_t length = 0; length <= all.size(); ++length) {
    std::size_t seen = 0;
    for (const Attribute& attribute : Attributes(all.first(length))) seen += attribute.type;
    EXPECT_EQ(seen, length == all.size() ? 3u : length >= 8 ? 1u : 0u) << length;
  }
}

TEST(Attribute, TextEndsAtTheZeroOrAtItsLength) {
  const char text[] = {'a', 'b', '\0', 'c'};
  const Bytes bytes = std::as_bytes(std::span(text));
  EXPECT_EQ((Attribute{1, bytes}.text()), "ab");
  EXPECT_EQ((Attribute{1, bytes.first(2)}.text()), "ab");
  EXPECT_EQ((Attribute{1, {}}.text()), "");
  EXPECT_EQ((Attribute{1, bytes.first(3)}.number()), 0u);
}

std::vector<std::byte> answer(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, int body) {
  nlmsghdr header{sizeof header + sizeof body, type, flags, sequence, 0};
  std::vector<std::byte> out(header.nlmsg_len);
  std::memcpy(out.data(), &header, sizeof header);
  std::memcpy(out.data() + sizeof header, &body, sizeof body);
  return out;
}

TEST(WalkMessages, EndsWithDoneGivesErrorsAndSkipsForeignAnswers) {
  auto datagram = answer(RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR, 3, 1);
  const auto foreign = answer(RTM_NEWLINK, 0, 2, 2);
  const auto done = answer(NLMSG_DONE, NLM_F_MULTI, 3, 0);
  datagram.insert(datagram.end(), foreign.begin(), foreign.end());
  std::vector<int> seen;
  const NetlinkHandler handler = [&](std::uint16_t, Bytes payload) { seen.push_back(*read_as<int>(payload)); };
  NetlinkEnd end;
  EXPECT_FALSE(*walk_messages(datagram, 3, handler, end));
  datagram.insert(datagram.end(), done.begin(), done.end());
  EXPECT_TRUE(*walk_messages(datagram, 3, handler, end));
  EXPECT_EQ(seen, (std::vector<int>{1, 1}));
  EXPECT_TRUE(end.interrupted);
  const auto failed = walk_messages(answer(NLMSG_ERROR, 0, 3, -ENODEV), 3, handler, end);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ENODEV);
}

TEST(WalkMessages, SurvivesRandomBytes) {
  std::mt19937 random(20);
  std::size_t attributes = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> datagram(random() % 200);
    for (std::byte& byte : datagram) byte = static_cast<std::byte>(random() % 24);
    NetlinkEnd end;
    const auto walked = walk_messages(
        datagram, 0,
        [&](std::uint16_t, Bytes payload) {
          for (const Attribute& attribute : Attributes(payload)) attributes += attribute.payload.size();
        },
        end);
    (void)walked;
    for (const Attribute& attribute : Attributes(datagram)) attributes += attribute.text().size() + attribute.number();
  }
  EXPECT_GT(attributes, 0u);
}

TEST(NetlinkSocket, DumpsTheLinksOfThisNamespaceAndReportsWhatIsNotThere) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  ASSERT_TRUE(socket);
  NetlinkRequest dump(RTM_GETLINK, NLM_F_DUMP);
  dump.append(ifinfomsg{});
  bool loopback = false;
  const auto end = socket->request(dump, [&](std::uint16_t type, Bytes payload) {
    EXPECT_EQ(type, RTM_NEWLINK);
    loopback |= Attributes(after(payload, sizeof(ifinfomsg))).find(IFLA_IFNAME)->text() == "lo";
  });
  ASSERT_TRUE(end);
  EXPECT_TRUE(loopback);

  NetlinkRequest one(RTM_GETLINK, 0);
  one.append(ifinfomsg{}).attribute_text(IFLA_IFNAME, "no-such-link");
  const auto missing = socket->request(one, [](std::uint16_t, Bytes) {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENODEV);
}

}  // namespace
}  // namespace sockdoc
