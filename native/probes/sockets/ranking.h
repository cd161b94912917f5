#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "probes/sockets/connection_base.h"

namespace sockdoc {

/** PickReason in src/model/snapshot/sockets.ts, which says what each means. */
enum Reason : std::uint8_t {
  kTraffic,
  kDrops,
  kRetransmits,
  kReceiveWindowLimited,
  kSendBufferLimited,
  kNotSent,
  kUnread,
  kSmallUnacked,
  kIdleRestart,
  kCloseWaiting,
  kSilent,
  kAsked,
  kReasons,
};

std::string_view reason_name(Reason reason);

/** How strongly a connection meets a reason; 0 when it does not. kAsked is decided by the owner, not here. */
std::uint64_t score(Reason reason, const InetSocket& socket, const Activity& activity);

/** A connection in full. */
struct ConnectionRow {
  InetSocket socket;
  Activity activity;
  std::uint32_t reasons = 0;  // bit per Reason
};

/** Keeps the highest `limit` rows in memory of fixed size, however many are offered. */
template <typename Row>
class TopRows {
 public:
  explicit TopRows(std::size_t limit) : limit_(limit) {}

  void offer(std::uint64_t weight, const Row& row) {
    if (heap_.size() < limit_) {
      rows_.push_back(row);
      heap_.push_back({weight, rows_.size() - 1});
      std::push_heap(heap_.begin(), heap_.end());
    } else if (limit_ > 0 && weight > heap_.front().weight) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back().weight = weight;
      rows_[heap_.back().row] = row;
      std::push_heap(heap_.begin(), heap_.end());
    }
  }

  /** Highest first. */
  [[nodiscard]] std::vector<Row> take() {
    std::sort_heap(heap_.begin(), heap_.end());
    std::vector<Row> sorted;
    sorted.reserve(heap_.size());
    for (const Entry& entry : heap_) sorted.push_back(std::move(rows_[entry.row]));
    heap_.clear();
    rows_.clear();
    return sorted;
  }

 private:
  struct Entry {
    std::uint64_t weight;
    std::size_t row;
    bool operator<(const Entry& other) const { return weight > other.weight; }  // the smallest on top
  };

  std::size_t limit_;
  std::vector<Entry> heap_;
  std::vector<Row> rows_;
};

/** The worst connections for each reason, and how many met it. */
class Ranking {
 public:
  Ranking(std::size_t per_reason, std::size_t asked_limit);

  void consider(const InetSocket& socket, const Activity& activity, bool asked);

  [[nodiscard]] const std::array<std::uint64_t, kReasons>& counts() const { return counts_; }
  /** Each connection once, with all the reasons for which it was kept. */
  [[nodiscard]] std::vector<ConnectionRow> take();

 private:
  std::vector<TopRows<ConnectionRow>> top_;
  std::array<std::uint64_t, kReasons> counts_{};
};

}  // namespace sockdoc
