#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace sockdoc {

/** Which end of a connection a socket was. */
enum class Side : std::uint8_t { kUnknown, kConnecting, kAccepting };

/** What ended sockets are counted by. `port` is the listener's, on either side; 0 where it is not known. */
struct EndedKey {
  Side side = Side::kUnknown;
  std::uint16_t port = 0;
  std::uint32_t pid = 0;  // 0 where it is not known

  bool operator<(const EndedKey& other) const {
    return std::tie(side, port, pid) < std::tie(other.side, other.port, other.pid);
  }
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

/** Sums by key, bounded: what comes when it is full is counted in `rest` alone. */
class EndedTable {
 public:
  static constexpr std::size_t kMaxGroups = 4096;

  void add(const EndedKey& key, const EndedSums& sums) {
    total_ += sums;
    const auto found = groups_.find(key);
    if (found != groups_.end()) {
      found->second += sums;
    } else if (groups_.size() < kMaxGroups) {
      groups_.emplace(key, sums);
    }
  }

  [[nodiscard]] const EndedSums& total() const { return total_; }
  [[nodiscard]] std::vector<EndedGroup> groups() const {
    std::vector<EndedGroup> all;
    for (const auto& [key, sums] : groups_) all.push_back({key, sums, {}});
    return all;
  }

 private:
  EndedSums total_;
  std::map<EndedKey, EndedSums> groups_;
};

}  // namespace sockdoc
