#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/fd.h"
#include "probes/descriptors/descriptors.h"
#include "probes/descriptors/protocol.h"
#include "probes/descriptors/socket_facts.h"

namespace sockdoc {
namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string row_of(const std::string& document, int fd) {
  const std::string start = "{\"fd\":" + std::to_string(fd) + ",\"kind\"";
  const std::size_t at = document.find(start);
  if (at == std::string::npos) return {};
  const std::size_t end = document.find("{\"fd\":", at + 1);
  return document.substr(at, end - at);
}

TEST(OwnDescriptors, ASocketPairAndAPipeNameEachOther) {
  int ends[2], pipes[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  ASSERT_EQ(::pipe(pipes), 0);
  const Fd held[] = {Fd(ends[0]), Fd(ends[1]), Fd(pipes[0]), Fd(pipes[1])};
  const std::string document = read_descriptors({{::getpid()}, true, false});
  const std::string socket = row_of(document, ends[0]);
  EXPECT_TRUE(holds(socket, "\"kind\":\"unix\"")) << socket;
  EXPECT_TRUE(holds(socket, "\"protocol\":\"UNIX-STREAM\"")) << socket;
  EXPECT_TRUE(holds(socket, "\"cloexec\":true")) << socket;
  EXPECT_TRUE(holds(socket, "\"fd\":" + std::to_string(ends[1]) + "}")) << socket;
  const std::string pipe = row_of(document, pipes[0]);
  EXPECT_TRUE(holds(pipe, "\"access\":\"read\"")) << pipe;
  EXPECT_TRUE(holds(pipe, "\"cloexec\":false")) << pipe;
  EXPECT_TRUE(holds(pipe, "\"fd\":" + std::to_string(pipes[1]) + "}")) << pipe;
}

TEST(OwnDescriptors, ASocketThatIsNotConnectedIsKnownByItsProtocol) {
  const Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) GTEST_SKIP() << "no IPv6 here";
  EXPECT_EQ(socket_protocol(::getpid(), socket.get()), "TCPv6");
  EXPECT_EQ(socket_protocol(::getpid(), 999'999), "");
  const std::string document = read_descriptors({{::getpid()}, false, false});
  EXPECT_TRUE(holds(document, "\"tcp\":1")) << document;
  EXPECT_TRUE(holds(document, "\"pid\":" + std::to_string(::getpid())));
}

TEST(OwnDescriptors, AProcessThatIsNotThereIsLeftOut) {
  const std::string document = read_descriptors({{2'147'483'600}, true, false});
  EXPECT_TRUE(holds(document, "\"processes\":[],\"denied\":[]")) << document;
}

TEST(UnixNames, AsPeopleWriteThem) {
  EXPECT_EQ(unix_name(std::string_view("/run/x\0", 7)), "/run/x");
  EXPECT_EQ(unix_name(std::string_view("\0name", 5)), "@name");
  EXPECT_EQ(unix_name(std::string_view("\0a\0b", 4)), "@a@b");
  EXPECT_EQ(unix_name(""), "");
}

}  // namespace
}  // namespace sockdoc
