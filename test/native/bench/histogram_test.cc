#include "bench/histogram.h"

#include <gtest/gtest.h>

namespace sockdoc::bench {
namespace {

TEST(Histogram, HasNothingToSayOfNoValues) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.percentile(0.5), 0);
  EXPECT_EQ(none.mean(), 0);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  Histogram small;
  for (std::uint64_t value = 1; value <= 100; value++) small.add(value);
  EXPECT_EQ(small.count(), 100u);
  EXPECT_EQ(small.percentile(0.5), 50);
  EXPECT_EQ(small.percentile(0.99), 99);
  EXPECT_EQ(small.percentile(1), 100);
  EXPECT_EQ(small.mean(), 50.5);
}

TEST(Histogram, KeepsEveryValueWithinFourThousandths) {
  for (std::uint64_t value = 1; value < std::uint64_t{1} << 39; value = value * 9 / 8 + 1) {
    Histogram one;
    one.add(value);
    EXPECT_NEAR(one.percentile(0.5), static_cast<double>(value), static_cast<double>(value) * 0.004) << value;
  }
}

TEST(Histogram, CountsWhatIsTooLargeAsTheLargest) {
  Histogram large;
  large.add(~std::uint64_t{0});
  large.add(1);
  EXPECT_EQ(large.percentile(0.5), 1);
  EXPECT_GT(large.percentile(1), 1e12);
}

TEST(Histogram, IsInOrderAcrossTheEdgesOfItsBuckets) {
  double before = 0;
  for (std::uint64_t value = 500; value < 5000; value++) {
    Histogram one;
    one.add(value);
    EXPECT_GE(one.percentile(0.5), before) << value;
    before = one.percentile(0.5);
  }
}

}  // namespace
}  // namespace sockdoc::bench
