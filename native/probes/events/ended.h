#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sockdoc {

/** Which end of a connection a socket was. */
enum class Side : std::uint8_t { kUnknown, kConnecting, kAccepting };

/** What ended sockets are counted by. `port` is the listener's, on either side; 0 where it is not known. */
struct EndedKey {
  Side side = Side::kUnknown;
  std::uint16_t port = 0;
  std::uint32_t pid = 0;  // 0 where it is not known

  auto operator<=>(const EndedKey&) const = default;
};

struct EndedSums {
  std::uint64_t count = 0;
  std::uint64_t unseen = 0;  // no reading ever showed them
  std::uint64_t sent = 0;    // payload bytes, over their whole lives
  std::uint64_t received = 0;

  EndedSums& operator+=(const EndedSums& more) {
    count += more.count;
    unseen += more.unseen;
    sent += more.sent;
    received += more.received;
    return *this;
  }
};

struct EndedGroup {
  EndedKey key;
  EndedSums sums;
  std::string comm;  // empty where it is not known
};

/** What ended in one network namespace within a window. */
struct EndedNow {
  EndedSums total;
  std::vector<EndedGroup> groups;       // of known side and port: together they may hold less than `total`
  std::optional<std::uint64_t> failed;  // attempts to connect
  bool lost = false;                    // the kernel dropped events: all counts are lower bounds
  bool unseen_known = false;            // whether EndedSums::unseen was counted
};

}  // namespace sockdoc
