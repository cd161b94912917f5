#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sockdoc {

/** memcpy(3), which costs more than the copy itself where it is a call for a few bytes. */
inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t count) {
  // Two words that overlap where there are fewer bytes than both have.
  const auto both_ends = [&]<typename Word>(Word first) {
    Word last;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + count - sizeof last, sizeof last);
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + count - sizeof last, &last, sizeof last);
  };
  if (count > 2 * sizeof(std::uint64_t)) {
    std::memcpy(to, from, count);
  } else if (count >= sizeof(std::uint64_t)) {
    both_ends(std::uint64_t{});
  } else if (count >= sizeof(std::uint32_t)) {
    both_ends(std::uint32_t{});
  } else {
    for (std::size_t i = 0; i < count; i++) to[i] = from[i];
  }
}

}  // namespace sockdoc
