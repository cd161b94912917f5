#include "bench/measure.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/fd.h"
#include "bench/confine.h"
#include "bench/line_transfer.h"
#include "json_reader.h"

namespace sockdoc::bench {
namespace {

TEST(Address, IsReadAndWritten) {
  EXPECT_EQ(parse_address("tcp:80")->text(), "tcp:80");
  EXPECT_EQ(parse_address("unix:/a/b")->text(), "unix:/a/b");
  for (const char* wrong : {"", "tcp:", "tcp:x", "tcp:70000", "unix:", "unix:a", "udp:1"}) {
    EXPECT_FALSE(parse_address(wrong).ok()) << wrong;
  }
  EXPECT_EQ(parse_address("unix:/" + std::string(200, 'a')).error().code, ENAMETOOLONG);
}

TEST(Cpus, AreReadAsAList) {
  EXPECT_EQ(*parse_cpus("0,3"), (std::vector<int>{0, 3}));
  for (const char* wrong : {"", "a", "-1", "99999"}) EXPECT_FALSE(parse_cpus(wrong).ok()) << wrong;
}

TEST(Stream, ArrivesWholeAndEnds) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  std::vector<std::byte> sent(3'000'000, std::byte{7});  // more than the socket holds: in pieces
  std::thread sending([&] {
    EXPECT_TRUE(send_all(writer.get(), sent));
    writer.reset();
  });
  std::vector<std::byte> got(sent.size());
  EXPECT_TRUE(receive_all(reader.get(), got));
  EXPECT_EQ(got, sent);
  EXPECT_FALSE(receive_all(reader.get(), std::span(got).first(1)));
  EXPECT_EQ(errno, 0);
  sending.join();
  EXPECT_FALSE(send_all(reader.get(), std::span(sent).first(1)));
  EXPECT_EQ(errno, EPIPE);
}

TEST(Measure, SaysWhyThereIsNothingToMeasure) {
  const Clock clock;
  double patience = 1;
  const auto sample = measure({"/nonexistent/socket", 0}, {Order::What::round_trip, 8, 1}, clock, patience);
  ASSERT_FALSE(sample.ok());
  EXPECT_EQ(sample.error().code, ENOENT);
}

TEST(Measure, AloneCostsCpuAndNeedsNoServer) {
  const Clock clock;
  double patience = 1;
  const auto sample = measure({"/nonexistent/socket", 0}, {Order::What::alone, 64, 5}, clock, patience);
  ASSERT_TRUE(sample.ok());
  const JsonValue read = JsonReader::read(sample->text());
  EXPECT_GT(read["count"].number, 0);
  EXPECT_GT(read["cpuNs"].number, 0);
}

TEST(Measure, BetweenCountsNothingOfATimeThatIsOver) {
  Address address;
  const auto listener = listen_at(address);
  ASSERT_TRUE(listener.ok());
  std::thread serving([&] {
    const auto connection = accept_from(listener->get());
    Opening opening{};
    ASSERT_TRUE(receive_all(connection->get(), std::as_writable_bytes(std::span(&opening, 1))));
    std::vector<std::byte> message(opening.bytes);
    while (receive_all(connection->get(), message)) ASSERT_TRUE(send_all(connection->get(), message));
  });
  const Clock clock;
  double patience = 1;
  const auto sample = measure(address, {Order::What::between, 8, 5, 0, 1}, clock, patience);
  serving.join();
  ASSERT_TRUE(sample.ok());
  EXPECT_EQ(JsonReader::read(sample->text())["count"].number, 0);
}

TEST(Clock, CountsAsTheKernelDoes) {
  const Clock clock;
  const std::uint64_t ticks = clock.now();
  const std::uint64_t begin = Clock::monotonic_ns();
  while (Clock::monotonic_ns() - begin < 20'000'000) {
  }
  const double passed = clock.ns(static_cast<double>(clock.now() - ticks));
  EXPECT_GE(passed, 20e6 * 0.98);  // a busy machine may make it longer
}

TEST(LineTransfer, NeedsCpusThatAreThere) {
  constexpr int kNoCpu = 1000;
  EXPECT_FALSE(line_transfer_ns(kNoCpu, 0).ok());
}

}  // namespace
}  // namespace sockdoc::bench
