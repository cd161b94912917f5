#include <sys/socket.h>

#include <algorithm>

#include "abi/slab.h"
#include "monitor/message.h"
#include "monitor/registry.h"

// The half of the registry that knows of memory and doorbells.

namespace sockdoc::monitor {
namespace {

using abi::MessageType;
using abi::Reason;

/** The first slab of two processes is small, since most have one connection; each further one holds more. */
constexpr std::uint32_t kFirstSlots = 16;

constexpr std::uint32_t kMaxDoorbells = 256;

Reason reason_of(const Error& error) {
  return error.code == EMFILE || error.code == ENFILE ? Reason::no_descriptors : Reason::no_memory;
}

}  // namespace

std::shared_ptr<Slab> Registry::slab_of(std::uint64_t id, const Process& process) const {
  const auto [first, last] = slabs_.equal_range(id);
  const auto found = std::find_if(first, last, [&](const auto& e) { return e.second->told.contains(process.serial); });
  return found == last ? nullptr : found->second;
}

/** A slot in a slab of these two processes, a new slab if need be. */
Reason Registry::provide(Connection& connection, Process& a, Process& b) {
  const auto pair = std::minmax(a.serial, b.serial);
  auto& theirs = slabs_of_pair_[pair];
  std::optional<std::uint32_t> slot;
  for (const auto& slab : theirs) {
    connection.slab = slab;
    if ((slot = slab->take())) break;
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

void Registry::doorbell(Process& process, const abi::Doorbell& request) {
  const auto slab = slab_of(request.slab, process);
  auto refused = message_of<abi::Refused>(MessageType::refused, request.header.sequence);
  refused.monitor_version = abi::kMonitorVersion;
  refused.reason = Reason::bad_message;
  if (slab == nullptr || request.index >= kMaxDoorbells) {
    return post_(process, &refused, sizeof refused, -1);
  }
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    refused.reason = Reason::no_descriptors;
    return post_(process, &refused, sizeof refused, -1);
  }
  const Fd bell(pair[0]);
  const Fd rope(pair[1]);
  // Closed both ways from the start: nothing can ever be sent through it, so nothing has to be read, and nothing of the
  // peer's (a full buffer, a flag, a descriptor that is slow to close) can hold anybody up. shutdown(2) still wakes.
  (void)::shutdown(bell.get(), SHUT_RDWR);
  auto message = message_of<abi::DoorbellEnd>(MessageType::bell, request.header.sequence);
  message.slab = slab->id();
  message.generation = next_id();
  message.index = request.index;
  post_(process, &message, sizeof message, bell.get());
  message.header.type = MessageType::rope;
  message.header.sequence = 0;
  for (const std::uint64_t serial : slab->told) {
    Process* other = by_serial(serial);
    const bool itself = slab->processes[0] == slab->processes[1];
    if (other != nullptr && (itself || serial != process.serial)) post_(*other, &message, sizeof message, rope.get());
  }
}

}  // namespace sockdoc::monitor
