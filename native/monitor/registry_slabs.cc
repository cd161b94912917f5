#include <sys/socket.h>

#include <algorithm>

#include "abi/slab.h"
#include "monitor/message.h"
#include "monitor/registry.h"

// The part of the registry that knows of memory.

namespace sockdoc::monitor {
namespace {

using abi::MessageType;
using abi::Reason;

/** The first slab of two processes is small, since most have one connection; each further one holds more. */
constexpr std::uint32_t kFirstSlots = 16;

/** A slot of one of the slabs, which becomes the connection's. */
std::optional<std::uint32_t> take_slot(Connection& connection, const std::vector<std::shared_ptr<Slab>>& slabs) {
  for (const auto& slab : slabs) {
    connection.slab = slab;
    if (const auto slot = slab->take()) return slot;
  }
  return std::nullopt;
}

Reason reason_of(const Error& error) {
  return error.code == EMFILE || error.code == ENFILE ? Reason::no_descriptors : Reason::no_memory;
}

}  // namespace

/** A slot in a slab of these two processes, a new slab if need be. */
Reason Registry::provide(Connection& connection, Process& a, Process& b) {
  const auto pair = std::minmax(a.serial, b.serial);
  auto& theirs = slabs_of_pair_[pair];
  std::optional<std::uint32_t> slot = take_slot(connection, theirs);
  if (!slot && !theirs.empty()) {
    // Not those that wait: two of them are being connected, and must not be forgotten meanwhile.
    sweep(a, false);
    sweep(b, false);
    slot = take_slot(connection, theirs);
  }
  if (!slot) {
    const std::uint32_t slots = std::min(kFirstSlots << std::min<std::size_t>(2 * theirs.size(), 6), abi::kMaxSlots);
    const auto ring = static_cast<std::uint32_t>(policy_.limits.ring);
    const std::uint64_t bytes = abi::slab_bytes(slots, ring);
    for (const Process* process : {&a, &b}) {
      if (process->slabs >= policy_.limits.slabs) return Reason::quota_slabs;
      if (process->slab_bytes + bytes > policy_.limits.bytes) return Reason::quota_bytes;
    }
    auto made = Slab::make(next_id(), slots, ring);
    if (!made) return reason_of(made.error());
    connection.slab = std::move(*made);
    connection.slab->processes[0] = pair.first;
    connection.slab->processes[1] = pair.second;
    slabs_.emplace(connection.slab->id(), connection.slab);
    theirs.push_back(connection.slab);
    for (Process* process : {&a, &b}) {
      if (process == &b && &a == &b) continue;
      ++process->slabs;
      process->slab_bytes += bytes;
    }
    slot = connection.slab->take();
  }
  connection.place = {
      next_id(), connection.slab->id(), next_id(), *slot, 0, connection.slab->slots(), connection.slab->ring_bytes()};
  return Reason::none;
}

std::shared_ptr<Slab> Registry::restored_slab(const abi::Place& place, const Process& a, const Process& b) {
  const auto pair = std::minmax(a.serial, b.serial);
  const auto [first, last] = slabs_.equal_range(place.slab);
  const auto theirs = [&](const auto& entry) {
    return entry.second->processes[0] == pair.first && entry.second->processes[1] == pair.second;
  };
  if (const auto found = std::find_if(first, last, theirs); found != last) return found->second;
  std::shared_ptr<Slab> slab = Slab::restored(place.slab, place.ring_bytes);
  slab->processes[0] = pair.first;
  slab->processes[1] = pair.second;
  slab->told = {a.serial, b.serial};
  slabs_.emplace(place.slab, slab);
  for (const std::uint64_t serial : slab->told) ++by_serial(serial)->slabs;
  return slab;
}

/**
 * Never twice: an end that a process has may belong to a pair whose other end is gone. So not for a slab of an earlier
 * run of the monitor either.
 */
void Registry::want_doorbell(Process& process, const abi::WantDoorbell& request) {
  const auto [first, last] = slabs_.equal_range(request.slab);
  const auto theirs = [&](const auto& entry) {
    const auto& [a, b] = entry.second->processes;
    return a != b && (a == process.serial || b == process.serial);
  };
  const auto found = std::find_if(first, last, theirs);
  if (found == last) return;
  Slab& slab = *found->second;
  if (slab.memory() < 0 || slab.retired || slab.has_doorbell) return;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return;
  const Fd ends[2] = {Fd(pair[0]), Fd(pair[1])};
  if (::shutdown(ends[0].get(), SHUT_RDWR) != 0) return;
  slab.has_doorbell = true;
  auto message = message_of<abi::Doorbell>(MessageType::doorbell, 0);
  message.slab = slab.id();
  for (int i = 0; i < 2; ++i) {
    Process* receiver = by_serial(slab.processes[i]);
    if (receiver != nullptr) post_(*receiver, &message, sizeof message, ends[i].get());
  }
}

/** No new connections for a process that has ended; what its children still hold goes on. */
void Registry::leave_slabs(Process& process) {
  std::vector<std::shared_ptr<Slab>> over;
  for (const auto& [id, slab] : slabs_) {
    slab->told.erase(process.serial);
    if (slab->processes[0] != process.serial && slab->processes[1] != process.serial) continue;
    slab->retired = true;
    slabs_of_pair_.erase({slab->processes[0], slab->processes[1]});
    if (slab->live == 0) over.push_back(slab);
  }
  for (const auto& slab : over) drop_slab(*slab);
}

/** Who still maps it may let go. */
void Registry::drop_slab(Slab& slab) {
  const std::set<std::uint64_t> members{slab.processes[0], slab.processes[1]};
  for (const std::uint64_t serial : members) {
    Process* process = by_serial(serial);
    if (process == nullptr) continue;
    --process->slabs;
    process->slab_bytes -= slab.bytes();
  }
  for (const std::uint64_t serial : slab.told) {
    Process* process = by_serial(serial);
    if (process == nullptr) continue;
    auto message = message_of<abi::PeerGone>(MessageType::peer_gone, 0);
    message.slab = slab.id();
    post_(*process, &message, sizeof message, -1);
  }
  std::erase_if(slabs_, [&](const auto& entry) { return entry.second.get() == &slab; });
}

}  // namespace sockdoc::monitor
