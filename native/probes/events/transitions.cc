#include "probes/events/transitions.h"

namespace sockdoc {
namespace {

// Beyond so many groups those that did not move are taken out of the kernel's table, so that it does not fill up.
constexpr std::size_t kManyGroups = 8192;

EndedSums moved(const TransitionSums& now, const TransitionSums& before) {
  return {now.count - before.count, now.unseen - before.unseen, now.sent - before.sent, now.received - before.received};
}

std::string text_of(const char (&comm)[16]) { return std::string(comm, ::strnlen(comm, sizeof comm)); }

}  // namespace

Result<Transitions> Transitions::attach() {
  auto maps = TransitionMaps::create();
  if (!maps) return maps.error();
  auto programs = TransitionPrograms::attach(*maps);
  if (!programs) return programs.error();
  return Transitions(std::move(*maps), std::move(*programs));
}

Status Transitions::watch(std::uint32_t netns, const PortSet& listening) {
  for (std::size_t port = 1; port < listening.size(); ++port) {
    if (!listening.test(port)) continue;
    (void)maps_.listeners.put(ListenerKey{netns, static_cast<std::uint16_t>(port)}, TracedProcess{});
  }
  namespaces_[netns] = {};
  return maps_.namespaces.put(netns, NetnsSums{});
}

std::map<std::uint32_t, EndedNow> Transitions::take() {
  std::map<std::uint32_t, EndedNow> all;
  take_rest(all);
  take_groups(all);
  return all;
}

void Transitions::take_rest(std::map<std::uint32_t, EndedNow>& all) {
  for (auto& [netns, before] : namespaces_) {
    const auto sums = maps_.namespaces.get<NetnsSums>(netns);
    if (!sums) continue;
    EndedNow& now = all[netns];
    now.total = moved(sums->rest, before.rest);
    now.failed = sums->failed - before.failed;
    now.unseen_known = true;
    before = *sums;
  }
}

EndedGroup Transitions::group_of(const TransitionKey& key, const TransitionGroup& group, const EndedSums& sums) const {
  const auto side = static_cast<Side>(key.side);
  if (side == Side::kConnecting) return {{side, key.port, key.pid}, sums, text_of(group.comm)};
  const auto listener = maps_.listeners.get<TracedProcess>(ListenerKey{key.netns, key.port});
  if (!listener) return {{side, key.port}, sums, {}};
  return {{side, key.port, listener->pid}, sums, text_of(listener->comm)};
}

void Transitions::take_groups(std::map<std::uint32_t, EndedNow>& all) {
  std::vector<TransitionKey> idle;
  std::size_t groups = 0;
  maps_.ended.for_each([&](const std::byte* key_bytes, std::span<const std::byte> value) {
    TransitionKey key;
    TransitionGroup group;
    std::memcpy(&key, key_bytes, sizeof key);
    std::memcpy(&group, value.data(), sizeof group);
    ++groups;
    const auto [before, is_new] = groups_.try_emplace(key);
    const EndedSums sums = moved(group.sums, before->second);
    before->second = group.sums;
    if (sums.count == 0) return idle.push_back(key);
    EndedNow& now = all[key.netns];
    now.total += sums;
    now.groups.push_back(group_of(key, group, sums));
  });
  forget_idle(idle, groups);
}

void Transitions::forget_idle(const std::vector<TransitionKey>& idle, std::size_t groups) {
  if (groups < kManyGroups) return;
  for (const TransitionKey& key : idle) {
    maps_.ended.remove(&key);
    groups_.erase(key);
  }
}

}  // namespace sockdoc
