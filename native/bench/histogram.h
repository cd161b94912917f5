#pragma once

#include <cstdint>
#include <vector>

namespace sockdoc::bench {

/**
 * Counts values in buckets that are at most 1/256 of their value wide, so that a percentile is right within 0.4 %. An
 * entry is one addition to a line that stays in the cache; a list of all values would push the measured program's
 * memory out of it.
 */
class Histogram {
 public:
  Histogram() : buckets_(kBuckets) {}

  void add(std::uint64_t value) {
    buckets_[index_of(value)]++;
    count_++;
    sum_ += value;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double mean() const;
  /** The value that `share` (0 to 1) of all do not exceed: the middle of its bucket; 0 when there are none. */
  [[nodiscard]] double percentile(double share) const;

 private:
  static constexpr unsigned kBits = 8;
  static constexpr std::uint64_t kSub = 1u << kBits;
  static constexpr unsigned kMostBits = 40;  // larger values count as the largest
  static constexpr std::size_t kBuckets = (kMostBits - kBits + 1) * kSub;

  [[nodiscard]] static std::size_t index_of(std::uint64_t value);
  [[nodiscard]] static double middle_of(std::size_t index);

  std::vector<std::uint32_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace sockdoc::bench
