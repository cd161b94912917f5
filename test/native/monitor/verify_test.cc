#include "monitor/verify.h"

#include <gtest/gtest.h>

namespace sockdoc::monitor {
namespace {

TEST(Counts, OfTwoEndsMustFit) {
  InetSocket a;
  InetSocket b;
  a.info.length = b.info.length = sizeof(TcpInfoFields);
  a.info.fields.bytes_acked = 1001;
  b.info.fields.bytes_received = 1000;
  EXPECT_TRUE(counts_fit(a, b));
  b.info.fields.bytes_received = 900;
  EXPECT_FALSE(counts_fit(a, b)) << "acknowledged, but not received";
  b.info.fields.bytes_received = 1000;
  a.info.fields.bytes_received = 500;
  EXPECT_FALSE(counts_fit(a, b)) << "received, but not sent";
  b.send_queue = 500;
  EXPECT_TRUE(counts_fit(a, b));
}

}  // namespace
}  // namespace sockdoc::monitor
