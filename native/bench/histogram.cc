#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sockdoc::bench {

double Histogram::mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }

double Histogram::percentile(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max(1.0, std::ceil(share * static_cast<double>(count_)));
  double seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); i++) {
    seen += buckets_[i];
    if (seen >= wanted) return middle_of(i);
  }
  return middle_of(buckets_.size() - 1);
}

/** Up to 2 * kSub each value has its own bucket; above it each power of two has kSub of them. */
std::size_t Histogram::index_of(std::uint64_t value) {
  if (value < 2 * kSub) return static_cast<std::size_t>(value);
  const unsigned width = static_cast<unsigned>(std::bit_width(value));
  if (width > kMostBits) return kBuckets - 1;
  const unsigned shift = width - kBits - 1;
  return static_cast<std::size_t>(shift * kSub + (value >> shift));
}

double Histogram::middle_of(std::size_t index) {
  if (index < 2 * kSub) return static_cast<double>(index);
  const std::size_t shift = index / kSub - 1;
  const std::uint64_t low = (index - shift * kSub) << shift;
  return static_cast<double>(low) + (static_cast<double>(std::uint64_t{1} << shift) - 1) / 2;
}

}  // namespace sockdoc::bench
