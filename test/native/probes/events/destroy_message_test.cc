#include "probes/events/destroy_message.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include <cstring>

#include "../random_bytes.h"
#include "probes/sockets/tcp_info.h"

namespace sockdoc {
namespace {

TcpInfoFields ended_connection() {
  TcpInfoFields info{};
  info.rcv_space = 65483;
  info.bytes_sent = 1000;
  info.bytes_received = 501;
  info.data_segs_in = 1;
  return info;
}

/** A message as the kernel sends it, headers taken off. */
std::vector<std::byte> message(const TcpInfoFields& info, std::uint16_t remote_port = 443,
                               std::uint8_t family = AF_INET) {
  inet_diag_msg head{};
  head.idiag_family = family;
  head.idiag_state = 7;
  head.id.idiag_sport = htons(40000);
  head.id.idiag_dport = htons(remote_port);
  NetlinkRequest request(SOCK_DIAG_BY_FAMILY, 0);
  request.append(head).attribute(INET_DIAG_PROTOCOL, std::uint8_t{IPPROTO_TCP});
  request.attribute_bytes(INET_DIAG_INFO, std::as_bytes(std::span(&info, 1)));
  return body_of(request);
}

TEST(DestroyMessage, TellsWhatAConnectionWas) {
  const auto socket = parse_ended_socket(message(ended_connection()));
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->local_port, 40000);
  EXPECT_EQ(socket->remote_port, 443);
  EXPECT_EQ(socket->sent, 1000u);
  EXPECT_EQ(socket->received, 501u);
}

TEST(DestroyMessage, TakesAFinAloneForNoBytes) {
  TcpInfoFields info = ended_connection();
  info.bytes_received = 1;
  info.data_segs_in = 0;
  EXPECT_EQ(parse_ended_socket(message(info))->received, 0u);
}

TEST(DestroyMessage, CountsAResetConnectionWhosePortAndBytesAreWiped) {
  TcpInfoFields info{};
  info.rcv_space = 65483;
  const auto socket = parse_ended_socket(message(info, 0));
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->remote_port, 0);
}

TEST(DestroyMessage, LeavesOutWhatWasNeverConnected) {
  EXPECT_FALSE(parse_ended_socket(message(TcpInfoFields{})));
  EXPECT_FALSE(parse_ended_socket(message(ended_connection(), 443, AF_UNIX)));
  inet_diag_msg without_info{};
  without_info.idiag_family = AF_INET;
  EXPECT_FALSE(parse_ended_socket(std::as_bytes(std::span(&without_info, 1))));
}

TEST(DestroyMessage, SurvivesDamage) {
  feed_damaged(message(ended_connection()), [](Bytes bytes) { (void)parse_ended_socket(bytes); });
}

}  // namespace
}  // namespace sockdoc
