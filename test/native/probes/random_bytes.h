#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <random>
#include <vector>

#include "probes/netlink.h"

namespace sockdoc {

/** Bytes of a message without its header, kept. */
inline std::vector<std::byte> body_of(NetlinkRequest& request) {
  const Bytes message = request.finish(1);
  return {message.begin() + sizeof(nlmsghdr), message.end()};
}

/**
 * Feeds `parse` every prefix of a good message, then thousands of damaged copies: some bytes replaced, the end cut off.
 * The sanitizers tell whether it looked where it must not.
 */
inline void feed_damaged(const std::vector<std::byte>& good, const std::function<void(Bytes)>& parse) {
  for (std::size_t length = 0; length <= good.size(); ++length) {
    const std::vector<std::byte> copy(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    parse(copy);
  }
  std::mt19937 random(7);
  for (int round = 0; round < 5000 && !good.empty(); ++round) {
    std::vector<std::byte> copy = good;
    for (unsigned i = 0; i <= random() % 4; ++i) copy[random() % copy.size()] = static_cast<std::byte>(random() % 256);
    if (random() % 2 == 0) copy.resize(random() % (copy.size() + 1));
    copy.shrink_to_fit();
    parse(copy);
  }
}

}  // namespace sockdoc
