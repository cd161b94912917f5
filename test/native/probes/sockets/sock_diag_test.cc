#include "probes/sockets/sock_diag.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <string>
#include <vector>

namespace sockdoc {
namespace {

class Message {
 public:
  template <typename T>
  Message& append(const T& value) {
    const auto* at = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), at, at + sizeof value);
    bytes.resize((bytes.size() + 3) & ~std::size_t{3});
    return *this;
  }
  Message& attribute(std::uint16_t type, const std::vector<std::uint8_t>& payload) {
    append(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), type});
    for (const std::uint8_t byte : payload) bytes.push_back(std::byte{byte});
    bytes.resize((bytes.size() + 3) & ~std::size_t{3});
    return *this;
  }
  std::vector<std::byte> bytes;
};

inet_diag_msg head() {
  inet_diag_msg head{};
  head.idiag_family = AF_INET;
  head.idiag_state = kEstablished;
  head.id.idiag_sport = htons(8080);
  head.id.idiag_dport = htons(40000);
  head.id.idiag_src[0] = htonl(0x0a000001);
  head.id.idiag_dst[0] = htonl(0x0a000002);
  head.id.idiag_cookie[0] = 0x89abcdef;
  head.id.idiag_cookie[1] = 0x01234567;
  head.idiag_inode = 4711;
  head.idiag_rqueue = 12;
  head.idiag_wqueue = 34;
  return head;
}

std::vector<std::uint8_t> counting(std::size_t length) {
  std::vector<std::uint8_t> bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

TEST(SockDiag, ParsesAConnection) {
  Message message;
  message.append(head()).attribute(INET_DIAG_CONG, {'b', 'b', 'r', 0}).attribute(INET_DIAG_SKMEMINFO, counting(36));
  const auto socket = parse_inet_socket(message.bytes);
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->cookie, 0x0123456789abcdefu);
  EXPECT_EQ(endpoint_text(socket->family, socket->local, socket->local_port), "10.0.0.1:8080");
  EXPECT_EQ(endpoint_text(socket->family, socket->remote, socket->remote_port), "10.0.0.2:40000");
  EXPECT_EQ(socket->inode, 4711u);
  EXPECT_EQ(socket->receive_queue, 12u);
  EXPECT_EQ(socket->send_queue, 34u);
  EXPECT_STREQ(socket->congestion_control.data(), "bbr");
  ASSERT_TRUE(socket->memory.present);
  EXPECT_EQ(socket->memory.drops(), 0x23222120u);
  EXPECT_EQ(socket->info.length, 0u);
}

TEST(SockDiag, KnowsHowFarAnOlderKernelsTcpInfoReaches) {
  // Linux 4.18 ends before bytes_sent, 5.4 before rcv_wnd.
  for (const auto& [length, sent, window] : {std::tuple{200, false, false}, {232, true, false}, {248, true, true}}) {
    Message message;
    message.append(head()).attribute(INET_DIAG_INFO, counting(static_cast<std::size_t>(length)));
    const auto socket = parse_inet_socket(message.bytes);
    ASSERT_TRUE(socket);
    EXPECT_EQ(socket->info.has(&TcpInfoFields::bytes_sent), sent);
    EXPECT_EQ(socket->info.has(&TcpInfoFields::rcv_wnd), window);
    EXPECT_TRUE(socket->info.has(&TcpInfoFields::sndbuf_limited));
    EXPECT_EQ(socket->info.fields.rtt, 0x47464544u);  // offset 68
    EXPECT_EQ(socket->info.sent(), sent ? 0xcfcecdcccbcac9c8u : 0x7f7e7d7c7b7a7978u);
  }
  Message cut;
  cut.append(head()).attribute(INET_DIAG_INFO, counting(204));
  EXPECT_FALSE(parse_inet_socket(cut.bytes)->info.has(&TcpInfoFields::bytes_sent)) << "half a field is no field";
}

TEST(SockDiag, SurvivesEveryTruncation) {
  Message whole;
  whole.append(head()).attribute(INET_DIAG_INFO, counting(248)).attribute(INET_DIAG_SKMEMINFO, counting(36));
  for (std::size_t length = 0; length <= whole.bytes.size(); ++length) {
    // A copy of exact size, so that the address sanitizer sees a read beyond it.
    const std::vector<std::byte> cut(whole.bytes.begin(), whole.bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const auto socket = parse_inet_socket(cut);
    EXPECT_EQ(socket.has_value(), length >= sizeof(inet_diag_msg));
    if (socket) {
      EXPECT_EQ(socket->memory.present, length == whole.bytes.size());
    }
  }
}

TEST(SockDiag, ParsesAUnixSocket) {
  unix_diag_msg unix_head{};
  unix_head.udiag_type = SOCK_STREAM;
  unix_head.udiag_state = kListen;
  unix_head.udiag_ino = 99;
  Message message;
  message.append(unix_head)
      .attribute(UNIX_DIAG_NAME, {0, 'a', 'b'})
      .attribute(UNIX_DIAG_RQLEN, {3, 0, 0, 0, 5, 0, 0, 0});
  const auto socket = parse_unix_socket(message.bytes);
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->name, std::string_view("\0ab", 3));
  EXPECT_EQ(socket->receive_queue, 3u);
  EXPECT_EQ(socket->send_queue, 5u);
  for (std::size_t length = 0; length < message.bytes.size(); ++length) {
    const std::vector<std::byte> cut(message.bytes.begin(),
                                     message.bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const auto parsed = parse_unix_socket(cut);
    if (parsed) {
      EXPECT_FALSE(parsed->has_queues);
    }
  }
}

TEST(SockDiag, WritesAddressesAsSsDoes) {
  const std::uint32_t any[4] = {};
  EXPECT_EQ(endpoint_text(AF_INET, address_of(AF_INET, any), 80), "0.0.0.0:80");
  EXPECT_EQ(endpoint_text(AF_INET6, address_of(AF_INET6, any), 80), "[::]:80");
  const std::uint32_t mapped[4] = {0, 0, htonl(0xffff), htonl(0x7f000001)};
  EXPECT_EQ(endpoint_text(AF_INET6, address_of(AF_INET6, mapped), 1), "[::ffff:127.0.0.1]:1");
  const std::uint32_t plain[4] = {htonl(0x7f000001)};
  EXPECT_EQ(address_of(AF_INET, plain), address_of(AF_INET6, mapped)) << "both ends of a connection must compare";
}

}  // namespace
}  // namespace sockdoc
