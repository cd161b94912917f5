#include "bench/measure.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <iostream>
#include <optional>
#include <sstream>
#include <vector>

#include "bench/carrier.h"
#include "bench/histogram.h"
#include "bench/say.h"

namespace sockdoc::bench {
namespace {

constexpr double kWarmMs = 50;
constexpr double kUpgradeMs = 2000;
constexpr double kInVainMs = 50;                // after one that was in vain
constexpr std::uint64_t kMostAlone = 64 << 10;  // what a socket takes before anybody receives

/** The client's end of one connection. */
class Talk {
 public:
  Talk(Fd fd, std::uint64_t bytes, const Clock& clock) : fd_(std::move(fd)), message_(bytes), clock_(clock) {}

  [[nodiscard]] bool open() {
    const Opening opening{Opening::kMagic, message_.size()};
    return send_all(fd_.get(), std::as_bytes(std::span(&opening, 1)));
  }

  [[nodiscard]] bool round_trip() { return send_all(fd_.get(), message_) && receive_all(fd_.get(), message_); }

  [[nodiscard]] bool warm_up(double ms, double& upgrade_ms) {
    const std::uint64_t start = clock_.now();
    for (;;) {
      if (!round_trip()) return false;
      const double passed = clock_.ns(static_cast<double>(clock_.now() - start)) / 1e6;
      if (passed < ms) continue;
      const auto now = carried(fd_.get());
      if (!now || (now->by_ring && now->ring_bytes > 0)) return true;
      if (passed < upgrade_ms) continue;
      upgrade_ms = kInVainMs;
      return true;
    }
  }

  [[nodiscard]] bool round_trips(double ms, Histogram& into) {
    const std::uint64_t end = clock_.now() + clock_.ticks_of_ms(ms);
    for (std::uint64_t before = clock_.now(); before < end;) {
      if (!round_trip()) return false;
      const std::uint64_t now = clock_.now();
      into.add(now - before);
      before = now;
    }
    return true;
  }

  /** Round trips all the time, those counted that end in these milliseconds. */
  [[nodiscard]] bool round_trips_between(double at_ms, double ms, std::uint64_t& count) {
    const auto start = static_cast<std::uint64_t>(at_ms * 1e6);
    const std::uint64_t end = start + static_cast<std::uint64_t>(ms * 1e6);
    for (;;) {
      if (!round_trip()) return false;
      const std::uint64_t now = Clock::monotonic_ns();
      if (now >= end) return true;
      if (now >= start) count++;
    }
  }

  /** The clock costs as much as sending a small message. */
  [[nodiscard]] bool stream(double ms, Tally& tally) {
    const std::uint64_t at_once = std::clamp<std::uint64_t>(4096 / message_.size(), 1, 64);
    const std::uint64_t end = clock_.now() + clock_.ticks_of_ms(ms);
    message_[0] = std::byte(Kind::stream);
    do {
      for (std::uint64_t i = 0; i < at_once; i++) {
        if (!send_all(fd_.get(), message_)) return false;
      }
    } while (clock_.now() < end);
    message_[0] = std::byte(Kind::last);
    const bool told =
        send_all(fd_.get(), message_) && receive_all(fd_.get(), std::as_writable_bytes(std::span(&tally, 1)));
    message_[0] = std::byte(Kind::echo);
    return told;
  }

  [[nodiscard]] std::optional<Carried> carried_now() const { return carried(fd_.get()); }

 private:
  Fd fd_;
  std::vector<std::byte> message_;
  const Clock& clock_;
};

Error lost(const char* when) { return errno == 0 ? Error{ECONNRESET, when} : errno_error(when); }

/** What carried the measured part: absent without libsd. */
void write_carrier(Json& json, const std::optional<Carried>& before, const std::optional<Carried>& after) {
  if (!before || !after) return;
  const auto bytes = static_cast<double>(after->bytes - before->bytes);
  const auto by_ring = static_cast<double>(after->ring_bytes - before->ring_bytes);
  json.field("upgraded", after->mapped && by_ring > 0);
  json.field("ringShare", bytes == 0 ? 0.0 : by_ring / bytes);
  if (!after->reason.empty()) json.field("reason", after->reason);
}

/** Connections, each with so many round trips, one after the other: how many a second. */
Result<Json> connections(const Address& address, const Order& order, const Clock& clock) {
  std::uint64_t count = 0;
  std::optional<Carried> last;
  const std::uint64_t start = clock.now();
  const std::uint64_t end = start + clock.ticks_of_ms(order.ms);
  std::uint64_t now = start;
  for (; now < end; now = clock.now()) {
    auto connection = connect_to(address);
    if (!connection) return connection.error();
    Talk talk(std::move(*connection), order.bytes, clock);
    bool good = talk.open();
    for (std::uint64_t trip = 0; trip < order.trips && good; trip++) good = talk.round_trip();
    if (!good) return lost("a connection");
    last = talk.carried_now();
    count++;
  }
  Json json;
  json.begin_object().field("count", count);
  json.field("perSecond", static_cast<double>(count) * 1e9 / clock.ns(static_cast<double>(now - start)));
  write_carrier(json, Carried{}, last);
  return json.end_object();
}

/** From this process to itself, each message received before the next is sent: nobody sleeps, and nobody is woken. */
Result<Json> alone(const Order& order, const Clock& clock) {
  constexpr std::uint64_t kAtOnce = 16;
  Address own;
  const auto listener = listen_at(own);
  if (!listener) return listener.error();
  const auto sending = connect_to(own);
  if (!sending) return sending.error();
  const auto receiving = accept_from(listener->get());
  if (!receiving) return receiving.error();
  std::vector<std::byte> message(order.bytes);
  std::uint64_t count = 0;
  const std::uint64_t cpu_before = Clock::cpu_ns();
  const std::uint64_t end = clock.now() + clock.ticks_of_ms(order.ms);
  for (; clock.now() < end; count += kAtOnce) {
    for (std::uint64_t i = 0; i < kAtOnce; i++) {
      if (!send_all(sending->get(), message) || !receive_all(receiving->get(), message)) return lost("to itself");
    }
  }
  Json json;
  json.begin_object().field("count", count).field("cpuNs", Clock::cpu_ns() - cpu_before);
  return json.end_object();
}

/** At the same time as others, who make the machine as busy before and after. */
Result<Json> between(const Address& address, const Order& order, const Clock& clock) {
  auto connection = connect_to(address);
  if (!connection) return connection.error();
  Talk talk(std::move(*connection), order.bytes, clock);
  std::uint64_t count = 0;
  if (!talk.open() || !talk.round_trips_between(order.at_ms, order.ms, count)) return lost("round trips");
  Json json;
  json.begin_object().field("count", count).field("perSecond", static_cast<double>(count) * 1e3 / order.ms);
  write_carrier(json, Carried{}, talk.carried_now());
  return json.end_object();
}

std::optional<Order> order_of(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  Order order;
  if (!(words >> what >> order.bytes >> order.ms)) return std::nullopt;
  if (what == "rtt") {
    order.what = Order::What::round_trip;
  } else if (what == "stream") {
    order.what = Order::What::stream;
  } else if (what == "alone" && order.bytes <= kMostAlone) {
    order.what = Order::What::alone;
  } else if (what == "between" && (words >> order.at_ms)) {
    order.what = Order::What::between;
  } else if (what == "connections" && (words >> order.trips)) {
    order.what = Order::What::connections;
  } else {
    return std::nullopt;
  }
  if (order.bytes == 0 || order.bytes > kMostBytes || !(order.ms > 0)) return std::nullopt;
  return order;
}

}  // namespace

Result<Json> measure(const Address& address, const Order& order, const Clock& clock, double& upgrade_ms) {
  if (order.what == Order::What::connections) return connections(address, order, clock);
  if (order.what == Order::What::alone) return alone(order, clock);
  if (order.what == Order::What::between) return between(address, order, clock);
  auto connection = connect_to(address);
  if (!connection) return connection.error();
  Talk talk(std::move(*connection), order.bytes, clock);
  if (!talk.open() || !talk.warm_up(std::min(order.ms / 4, kWarmMs), upgrade_ms)) return lost("warming up");
  const auto before = talk.carried_now();
  const std::uint64_t cpu_before = Clock::cpu_ns();
  Json json;
  json.begin_object();
  if (order.what == Order::What::round_trip) {
    Histogram ticks;
    if (!talk.round_trips(order.ms, ticks)) return lost("round trips");
    json.field("count", ticks.count()).field("p50", clock.ns(ticks.percentile(0.5)));
    json.field("p99", clock.ns(ticks.percentile(0.99))).field("mean", clock.ns(ticks.mean()));
  } else {
    Tally tally{};
    if (!talk.stream(order.ms, tally)) return lost("a stream of messages");
    json.field("count", tally.messages);
    json.field("perSecond", static_cast<double>(tally.messages) * 1e9 / static_cast<double>(tally.ns));
    json.field("receiverCpuNs", tally.cpu_ns);
  }
  json.field("cpuNs", Clock::cpu_ns() - cpu_before);
  write_carrier(json, before, talk.carried_now());
  return json.end_object();
}

Status measure_on_demand(const Address& address) {
  const Clock clock;
  double upgrade_ms = kUpgradeMs;
  say(Json().begin_object().field("ready", true).end_object());
  for (std::string line; std::getline(std::cin, line);) {
    const auto order = order_of(line);
    if (!order) {
      say(Error{EINVAL, line});
      continue;
    }
    const auto sample = measure(address, *order, clock, upgrade_ms);
    sample ? say(*sample) : say(sample.error());
  }
  return Done{};
}

}  // namespace sockdoc::bench
