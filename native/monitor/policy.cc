#include "monitor/policy.h"

#include <fnmatch.h>

#include <algorithm>

namespace sockdoc::monitor {
namespace {

template <typename T>
bool within(const Ranges<T>& ranges, T value) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& r) { return value >= r.first && value <= r.second; });
}

bool has_group(const Ranges<std::uint32_t>& ranges, const Identity& identity) {
  return within(ranges, std::uint32_t{identity.gids[1]}) ||
         std::any_of(identity.groups.begin(), identity.groups.end(), [&](gid_t g) { return within(ranges, g); });
}

bool matches(const std::vector<std::string>& patterns, const std::string& text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0; });
}

bool in_subnet(const Subnet& subnet, const Address& address) {
  for (unsigned bit = 0; bit < subnet.bits; bit += 8) {
    const unsigned kept = std::min(8u, subnet.bits - bit);
    const auto mask = static_cast<std::uint8_t>(0xff00u >> kept);
    if (((subnet.address[bit / 8] ^ address[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

/** All three ids of a kind must meet a rule that allows; one of them is enough for a rule that denies. */
bool user_meets(const Ranges<std::uint32_t>& ranges, const Identity& identity, bool strict) {
  const auto meets = [&](uid_t uid) { return within(ranges, uid); };
  return strict ? std::all_of(identity.uids.begin(), identity.uids.end(), meets)
                : std::any_of(identity.uids.begin(), identity.uids.end(), meets);
}

}  // namespace

bool EndRule::met_by(const PolicyEnd& end, bool strict) const {
  const Identity& who = *end.identity;
  if (!uids.empty() && !user_meets(uids, who, strict)) return false;
  if (!gids.empty() && !has_group(gids, who)) return false;
  if (!ports.empty() && !within(ports, std::uint32_t{end.port})) return false;
  if (!cgroups.empty() && !matches(cgroups, who.cgroup)) return false;
  if (!executables.empty() && ((strict && !who.executable_is_ours) || !matches(executables, who.executable))) {
    return false;
  }
  return addresses.empty() || std::any_of(addresses.begin(), addresses.end(),
                                          [&](const Subnet& subnet) { return in_subnet(subnet, end.address); });
}

bool Rule::met_by(const PolicyEnd& a, const PolicyEnd& b) const {
  if (same_user && !monitor::same_user(*a.identity, *b.identity)) return false;
  const bool strict = verdict == Verdict::allow;
  if (other) {
    return (one.met_by(a, strict) && other->met_by(b, strict)) || (one.met_by(b, strict) && other->met_by(a, strict));
  }
  // One condition for both: whoever writes "deny uid=1" means every connection of 1, "allow uid=1" those among 1.
  return strict ? one.met_by(a, strict) && one.met_by(b, strict) : one.met_by(a, strict) || one.met_by(b, strict);
}

Decision Policy::decide(const PolicyEnd& a, const PolicyEnd& b) const {
  for (const Rule& rule : rules) {
    if (!rule.met_by(a, b)) continue;
    if (rule.verdict == Verdict::allow) return {true, abi::Reason::none};
    return {false, abi::Reason::denied_by_policy};
  }
  if (same_user(*a.identity, *b.identity)) return {true, abi::Reason::none};
  return {false, abi::Reason::denied_across_users};
}

}  // namespace sockdoc::monitor
