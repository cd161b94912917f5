#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probes/connections/row_view.h"

namespace sockdoc {

/** FILTER_FIELDS in src/model/views/filter.ts, in its order. */
enum class Field : std::uint8_t {
  pid,
  comm,
  fd,
  uid,
  state,
  netns,
  container,
  port,
  lport,
  rport,
  addr,
  laddr,
  raddr,
  peer,
  rtt,
  rttvar,
  minrtt,
  age,
  idle,
  retrans,
  retransrate,
  sendq,
  recvq,
  unsent,
  sent,
  received,
  tx,
  rx,
  rate,
  delivery,
  drops,
  cwnd,
  limit,
  cc,
  transport,
  local,
};

enum class Operator : std::uint8_t { equal, not_equal, greater, at_least, less, at_most };

std::optional<Field> field_named(std::string_view name);
std::optional<Operator> operator_named(std::string_view sign);

/** A number or a text. */
struct FilterValue {
  std::optional<double> number;
  std::string text;
};

/** An address or a prefix: the first `bits` of the mapped form. */
struct Prefix {
  Address base{};
  unsigned bits = 0;
  bool v4 = false;
};

/** "10.0.0.0/8", "::1"; nullopt when it is none. */
std::optional<Prefix> parse_prefix(std::string_view text);

/** One condition, as FilterTerm in src/model/views/filter.ts, which documents what it means. */
class FilterTerm {
 public:
  FilterTerm(Field field, Operator operation, std::vector<FilterValue> values);
  [[nodiscard]] bool meets(const RowView& view) const;

 private:
  [[nodiscard]] bool meets_addresses(const InetSocket& socket) const;

  Field field_;
  Operator operator_;
  std::vector<FilterValue> values_;
  std::vector<Prefix> prefixes_;  // of values that are addresses
};

/** All terms must hold. */
using Filter = std::vector<FilterTerm>;

bool matches(const Filter& filter, const RowView& view);

}  // namespace sockdoc
