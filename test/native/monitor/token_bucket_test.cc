#include "monitor/token_bucket.h"

#include <gtest/gtest.h>

namespace sockdoc::monitor {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(TokenBucket, GivesASecondsWorthAtOnceAndTheRateInTheLongRun) {
  TokenBucket bucket(100, 0);
  int taken = 0;
  while (bucket.take(0)) ++taken;
  EXPECT_EQ(taken, 100);
  for (std::int64_t now = 0; now <= 10 * kSecond; now += kSecond / 1000) taken += bucket.take(now) ? 1 : 0;
  EXPECT_NEAR(taken, 1100, 2);
}

TEST(TokenBucket, AfterTheWaitThereAreSeveral) {
  TokenBucket bucket(100, 0);
  while (bucket.take(0)) continue;
  EXPECT_FALSE(bucket.full(0));
  const std::int64_t later = bucket.wait_ns(0);
  EXPECT_NEAR(static_cast<double>(later), kSecond / 10.0, kSecond / 1000.0);
  int taken = 0;
  while (bucket.take(later)) ++taken;
  EXPECT_NEAR(taken, 10, 1);
  EXPECT_TRUE(bucket.full(later + 2 * kSecond));
}

TEST(TokenBucket, OneASecondIsARateToo) {
  TokenBucket bucket(1, 0);
  EXPECT_TRUE(bucket.take(0));
  EXPECT_FALSE(bucket.take(0));
  EXPECT_TRUE(bucket.take(bucket.wait_ns(0)));
}

}  // namespace
}  // namespace sockdoc::monitor
