#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "probes/connections/row_view.h"

namespace sockdoc {

/** CONNECTION_SORTS in src/model/views/request.ts, and `matters`. */
enum class Sort : std::uint8_t {
  matters,
  rate,
  tx,
  rx,
  rtt,
  retrans,
  retransrate,
  bytes,
  queue,
  drops,
  age,
  pid,
  port
};

std::optional<Sort> sort_named(std::string_view name);

/** Where a row stands: by group, and within it by value; the largest first. */
struct Rank {
  std::uint32_t row = 0;
  int group = 0;
  double value = 0;
};

/** Rows that lack the field come last whatever the direction. */
constexpr int kLacking = -1;

/**
 * `matters` puts what is in trouble now first (it retransmits or drops in the window, a window or buffer stops it, the
 * peer has closed and it has not, its accept queue is not empty), then the other connections, then listeners, then what
 * only the kernel still holds; in each group by bytes moved in the window, else since it began.
 */
Rank rank_of(Sort sort, std::uint32_t index, const RowView& view);

/**
 * Puts the first `limit` in order and drops the rest. Of equal ones those in time-wait come last; else they stand by
 * their cookies, the same at every reading. src/filter/select.ts does the same.
 */
void order(std::vector<Rank>& ranks, bool reverse, std::size_t limit, const std::vector<TableRow>& rows);

}  // namespace sockdoc
