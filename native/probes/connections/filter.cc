#include "probes/connections/filter.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/procfs.h"

namespace sockdoc {
namespace {

using Fields = TcpInfoFields;

constexpr std::array<std::string_view, 36> kFields = {
    "pid",   "comm",    "fd",          "uid",   "state", "netns",  "container", "port",      "lport",
    "rport", "addr",    "laddr",       "raddr", "peer",  "rtt",    "rttvar",    "minrtt",    "age",
    "idle",  "retrans", "retransrate", "sendq", "recvq", "unsent", "sent",      "received",  "tx",
    "rx",    "rate",    "delivery",    "drops", "cwnd",  "limit",  "cc",        "transport", "local"};
static_assert(static_cast<std::size_t>(Field::local) + 1 == kFields.size());

constexpr std::array<std::string_view, 6> kOperators = {"=", "!=", ">", ">=", "<", "<="};

/** A value of a row: a number, or a text that lives as long as the row. */
struct Own {
  std::optional<double> number;
  std::string_view text;
};

/** The values of a row: two at most, for what stands for both sides. */
class OwnValues {
 public:
  void add(std::optional<double> number) {
    if (number) values_[count_++] = {number, {}};
  }
  void add(std::string_view text) {
    if (!text.empty()) values_[count_++] = {std::nullopt, text};
  }
  void scaled(std::optional<double> number, double factor) {
    if (number) add(std::optional<double>(*number * factor));
  }
  [[nodiscard]] const Own* begin() const { return values_.data(); }
  [[nodiscard]] const Own* end() const { return values_.data() + count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  std::array<Own, 2> values_;
  std::size_t count_ = 0;
};

std::optional<double> number_of(auto value) { return static_cast<double>(value); }

/** Of the process and the place; false for other fields. */
bool take_place(Field field, const RowView& view, OwnValues& out) {
  const InetSocket& socket = view.socket();
  const ProcessEntry* owner = view.owner();
  switch (field) {
    case Field::pid:
      if (owner != nullptr) out.add(number_of(owner->pid));
      return true;
    case Field::comm:
      if (owner != nullptr) out.add(owner->stat.comm);
      return true;
    case Field::fd:
      if (view.held() != nullptr) out.add(number_of(view.held()->fd));
      return true;
    case Field::uid:
      out.add(number_of(socket.uid));
      return true;
    case Field::state:
      out.add(tcp_state_name(socket.state));
      return true;
    case Field::netns:
      out.add(view.netns().label);
      return true;
    case Field::container:
      out.add(view.container());
      return true;
    case Field::port:
      out.add(number_of(socket.local_port));
      out.add(number_of(socket.remote_port));
      return true;
    case Field::lport:
      out.add(number_of(socket.local_port));
      return true;
    case Field::rport:
      out.add(number_of(socket.remote_port));
      return true;
    case Field::peer:
      if (const ProcessEntry* peer = view.peer_owner()) {
        out.add(peer->stat.comm);
        out.add(number_of(peer->pid));
      }
      return true;
    case Field::local:
      out.add(number_of(view.row().local ? 1 : 0));
      return true;
    default:
      return false;
  }
}

/** Of what TCP says. Times are µs, rates bit/s. */
void take_measure(Field field, const RowView& view, OwnValues& out) {
  const InetSocket& socket = view.socket();
  switch (field) {
    case Field::rtt:
      return out.add(view.rtt_us());
    case Field::rttvar:
      return out.add(view.rtt_var_us());
    case Field::minrtt:
      return out.add(view.min_rtt_us());
    case Field::age:
      return out.scaled(view.age_ms(), 1000);
    case Field::idle:
      return out.scaled(view.idle_ms(), 1000);
    case Field::retrans:
      return out.add(view.number(&Fields::total_retrans));
    case Field::retransrate:
      return out.add(view.retransmits_per_s());
    case Field::sendq:
      return out.add(number_of(socket.send_queue));
    case Field::recvq:
      return out.add(number_of(socket.receive_queue));
    case Field::unsent:
      return out.add(view.number(&Fields::notsent_bytes));
    case Field::sent:
      return out.add(view.number(&Fields::bytes_sent));
    case Field::received:
      return out.add(view.number(&Fields::bytes_received));
    case Field::tx:
      return out.add(view.send_bps());
    case Field::rx:
      return out.add(view.receive_bps());
    case Field::rate:
      return out.add(sum_of(view.send_bps(), view.receive_bps()));
    case Field::delivery:
      return out.add(view.delivery_bps());
    case Field::drops:
      return out.add(view.drops());
    case Field::cwnd:
      return out.add(view.number(&Fields::snd_cwnd));
    case Field::limit:
      if (const auto limit = view.limit()) out.add(limit_name(*limit));
      return;
    case Field::cc:
      return out.add(std::string_view(socket.congestion_control.data()));
    case Field::transport:
      return out.add(view.transport().name);
    default:
      return;
  }
}

bool same(const Own& own, const FilterValue& wanted) {
  if (own.number) return wanted.number && *own.number == *wanted.number;
  if (wanted.number) return false;
  if (!wanted.text.empty() && wanted.text.back() == '*') {
    return own.text.starts_with(std::string_view(wanted.text).substr(0, wanted.text.size() - 1));
  }
  return own.text == wanted.text;
}

bool ordered(const Own& own, Operator operation, const FilterValue& wanted) {
  if (!own.number || !wanted.number) return false;  // texts have no order
  switch (operation) {
    case Operator::greater:
      return *own.number > *wanted.number;
    case Operator::at_least:
      return *own.number >= *wanted.number;
    case Operator::less:
      return *own.number < *wanted.number;
    default:
      return *own.number <= *wanted.number;
  }
}

bool is_address(Field field) { return field == Field::addr || field == Field::laddr || field == Field::raddr; }

bool contains(const Prefix& prefix, const Address& address) {
  if (is_mapped(address) != prefix.v4) return false;
  const unsigned whole = prefix.bits / 8, rest = prefix.bits % 8;
  if (!std::equal(prefix.base.begin(), prefix.base.begin() + whole, address.begin())) return false;
  return rest == 0 || (prefix.base[whole] ^ address[whole]) >> (8 - rest) == 0;
}

}  // namespace

std::optional<Field> field_named(std::string_view name) {
  const auto found = std::find(kFields.begin(), kFields.end(), name);
  if (found == kFields.end()) return std::nullopt;
  return static_cast<Field>(found - kFields.begin());
}

std::optional<Operator> operator_named(std::string_view sign) {
  const auto found = std::find(kOperators.begin(), kOperators.end(), sign);
  if (found == kOperators.end()) return std::nullopt;
  return static_cast<Operator>(found - kOperators.begin());
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const std::string address(take_until(text, '/'));
  Prefix prefix;
  std::uint32_t words[4] = {};
  prefix.v4 = address.find(':') == std::string::npos;
  if (::inet_pton(prefix.v4 ? AF_INET : AF_INET6, address.c_str(), words) != 1) return std::nullopt;
  prefix.base = address_of(prefix.v4 ? AF_INET : AF_INET6, words);
  const unsigned width = prefix.v4 ? 32 : 128;
  const unsigned length = text.empty() ? width : parse_number<unsigned>(text).value_or(width + 1);
  if (length > width) return std::nullopt;
  prefix.bits = length + (128 - width);
  return prefix;
}

FilterTerm::FilterTerm(Field field, Operator operation, std::vector<FilterValue> values)
    : field_(field), operator_(operation), values_(std::move(values)) {
  if (!is_address(field)) return;
  for (const FilterValue& value : values_) {
    if (const auto prefix = parse_prefix(value.text)) prefixes_.push_back(*prefix);
  }
}

bool FilterTerm::meets_addresses(const InetSocket& socket) const {
  const bool equal = std::any_of(prefixes_.begin(), prefixes_.end(), [&](const Prefix& prefix) {
    return (field_ != Field::raddr && contains(prefix, socket.local)) ||
           (field_ != Field::laddr && contains(prefix, socket.remote));
  });
  if (operator_ == Operator::equal) return equal;
  return operator_ == Operator::not_equal && !equal;
}

bool FilterTerm::meets(const RowView& view) const {
  if (is_address(field_)) return meets_addresses(view.socket());
  OwnValues own;
  if (!take_place(field_, view, own)) take_measure(field_, view, own);
  if (own.empty()) return false;
  const auto any = [&](auto test) {
    return std::any_of(own.begin(), own.end(), [&](const Own& value) {
      return std::any_of(values_.begin(), values_.end(),
                         [&](const FilterValue& wanted) { return test(value, wanted); });
    });
  };
  if (operator_ == Operator::equal) return any(same);
  if (operator_ == Operator::not_equal) return !any(same);
  return any([&](const Own& value, const FilterValue& wanted) { return ordered(value, operator_, wanted); });
}

bool matches(const Filter& filter, const RowView& view) {
  return std::all_of(filter.begin(), filter.end(), [&](const FilterTerm& term) { return term.meets(view); });
}

}  // namespace sockdoc
