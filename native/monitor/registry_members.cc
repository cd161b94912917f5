#include <algorithm>

#include "monitor/registry.h"

// The part of the registry that knows who is there: processes, and the sockets that they hold.

namespace sockdoc::monitor {

using abi::Reason;

Result<Process*> Registry::enrol(int pid, int own_pid, std::uint64_t start_ticks) {
  if (const auto found = by_pid_.find(pid); found != by_pid_.end()) {
    Process& known = *found->second;
    if (known.start_ticks != start_ticks || known.identity.own_pid != own_pid) return Error{ESRCH, "start time"};
    // After exec it has lost its mappings, so it is told of each slab again.
    for (auto& [id, slab] : slabs_) {
      if (slab->memory() >= 0) slab->told.erase(known.serial);
    }
    return &known;
  }
  auto opened = open_process(pid, own_pid, start_ticks);
  if (!opened) return opened.error();
  Process* process = opened->get();
  process->serial = next_id();
  by_serial_[process->serial] = process;
  by_pid_[pid] = std::move(*opened);
  return process;
}

Result<Process*> Registry::enrol_errand(int pid, int own_pid, std::uint64_t start_ticks) {
  auto opened = open_process(pid, own_pid, start_ticks);
  if (!opened) return opened.error();
  Process* process = opened->get();
  process->errand = true;
  process->serial = next_id();
  by_serial_[process->serial] = process;
  errands_[process->serial] = std::move(*opened);
  return process;
}

Process* Registry::find(int pid) const {
  const auto found = by_pid_.find(pid);
  return found == by_pid_.end() ? nullptr : found->second.get();
}

void Registry::leave(Process& process) {
  const auto held = process.ends;
  for (const EndKey& key : held) {
    const auto found = ends_.find(key);
    if (found == ends_.end()) continue;
    SocketEnd& end = *found->second;
    if (end.connection != nullptr) withdraw(*end.connection, Reason::switched_off);
    drop_holder(end, process);
  }
  for (auto& [id, slab] : slabs_) slab->told.erase(process.serial);
}

void Registry::forget(Process& process) {
  const auto held = process.ends;
  for (const EndKey& key : held) {
    if (const auto found = ends_.find(key); found != ends_.end()) drop_holder(*found->second, process);
  }
  leave_slabs(process);
  by_serial_.erase(process.serial);
  if (process.errand) {
    errands_.erase(process.serial);
  } else {
    by_pid_.erase(process.pid);
  }
}

Process* Registry::by_serial(std::uint64_t serial) const {
  const auto found = by_serial_.find(serial);
  return found == by_serial_.end() ? nullptr : found->second;
}

SocketEnd* Registry::admit(Process& process, const abi::SocketClaim& claim, std::uint64_t sequence,
                           Verified& verified) {
  if (!plausible(claim)) {
    refuse(process, claim, sequence, Reason::bad_message);
    return nullptr;
  }
  verified = verify(process, claim, namespaces_);
  const EndKey key{verified.netns, claim.cookie};
  const auto full = [&] { return !process.ends.contains(key) && process.ends.size() >= policy_.limits.connections; };
  if (verified.ok() && full()) sweep(process, true);
  if (verified.ok() && full()) verified.reason = Reason::quota_connections;
  if (!verified.ok()) {
    refuse(process, claim, sequence, verified.reason);
    return nullptr;
  }
  if (!ends_.contains(key)) {
    const TupleKey tuple = key_of(verified.netns, tuple_of(claim));
    // The kernel says that the tuple is this socket's now: whoever had it before is gone.
    if (const auto stale = by_tuple_.find(tuple); stale != by_tuple_.end()) end_gone(*stale->second);
    auto made = std::make_unique<SocketEnd>();
    made->netns = verified.netns;
    made->cookie = claim.cookie;
    made->tuple = tuple_of(claim);
    by_tuple_[tuple] = made.get();
    ends_[key] = std::move(made);
  }
  SocketEnd& end = *ends_[key];
  const auto same = [&](const Holder& holder) { return holder.process == &process; };
  if (const auto found = std::find_if(end.holders.begin(), end.holders.end(), same); found != end.holders.end()) {
    *found = {&process, claim, sequence};
  } else {
    end.holders.push_back({&process, claim, sequence});
    process.ends.insert(key);
  }
  return &end;
}

void Registry::release(Process& process, std::uint64_t cookie) {
  const auto held =
      std::find_if(process.ends.begin(), process.ends.end(), [&](const EndKey& key) { return key.second == cookie; });
  if (held == process.ends.end()) return;
  const EndKey key = *held;
  if (const auto found = ends_.find(key); found != ends_.end()) drop_holder(*found->second, process);
}

/**
 * Forgets connections of the process that have ended without its saying so: its release was lost, or it executes
 * another program. Only looked for when room is wanted, and only at some of them each time: others wait for their
 * answers meanwhile.
 */
void Registry::sweep(Process& process, bool waiting_too) {
  constexpr int kAtOnce = 32;
  for (int looked = 0; looked < kAtOnce && !process.ends.empty(); ++looked) {
    auto next = process.ends.upper_bound(process.swept);
    if (next == process.ends.end()) next = process.ends.begin();
    process.swept = *next;
    SocketEnd& end = *ends_.at(*next);
    if (end.connection == nullptr && !waiting_too) continue;
    const auto holder = std::find_if(end.holders.begin(), end.holders.end(),
                                     [&](const Holder& other) { return other.process == &process; });
    if (is_gone(process, holder->claim, end.netns, namespaces_)) drop_holder(end, process);
  }
}

void Registry::drop_holder(SocketEnd& end, const Process& process) {
  std::erase_if(end.holders, [&](const Holder& holder) { return holder.process == &process; });
  const_cast<Process&>(process).ends.erase({end.netns, end.cookie});
  if (end.holders.empty()) end_gone(end);
}

void Registry::end_gone(SocketEnd& end) {
  const EndKey key{end.netns, end.cookie};
  for (const Holder& holder : end.holders) holder.process->ends.erase(key);
  if (Connection* connection = end.connection; connection != nullptr) {
    const std::shared_ptr<Slab> slab = connection->slab;
    connection->ends[end.side] = nullptr;
    if (connection->ends[1 - end.side] == nullptr) {
      slab->give_back(connection->place.slot);
      connections_.erase(connection);
    } else if (--slab->live == 0 && slab->retired) {
      drop_slab(*slab);
    }
  }
  const TupleKey tuple = key_of(end.netns, end.tuple);
  if (const auto found = by_tuple_.find(tuple); found != by_tuple_.end() && found->second == &end) {
    by_tuple_.erase(found);
  }
  ends_.erase(key);
}

}  // namespace sockdoc::monitor
