#include "preload/readiness/sleepers.h"

#include "preload/connection/connections.h"
#include "preload/readiness/sets.h"
#include "preload/thread.h"

namespace sockdoc::preload {

constinit Sleepers sleepers;

int ThreadsInside::enter() {
  const std::uint64_t me = this_thread();
  const auto stack = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  for (int at = 0; at < kPlaces; at++) {
    Place& place = places_[at];
    std::uint64_t nobody = 0;
    if (place.thread.load(std::memory_order_relaxed) == me) {
      if (place.stack.load(std::memory_order_relaxed) > stack) break;  // a signal handler on top of it
    } else if (!place.thread.compare_exchange_strong(nobody, me)) {
      continue;
    }
    place.stack.store(stack);  // sequentially consistent: before the caller looks again, others see the thread
    return at;
  }
  more_.fetch_add(1);
  return kPlaces;
}

void ThreadsInside::leave(int place) {
  if (place == kNowhere) return;
  if (place < kPlaces) {
    places_[place].thread.store(0, std::memory_order_release);
  } else {
    more_.fetch_sub(1);
  }
}

bool ThreadsInside::any() const {
  std::uint64_t seen = more_.load();
  for (const Place& place : places_) seen |= place.thread.load();
  return seen != 0;
}

bool ThreadsInside::alone(int place) const {
  if (place < 0 || place >= kPlaces || more_.load() != 0) return false;
  for (int at = 0; at < kPlaces; at++) {
    if (at != place && places_[at].thread.load() != 0) return false;
  }
  return true;
}

void Sleepers::add(std::uint32_t socket) {
  SocketWaits* one = waits(socket);
  one == nullptr ? add_to_all() : static_cast<void>(one->sleepers.fetch_add(1));
}

void Sleepers::remove(std::uint32_t socket) {
  SocketWaits* one = known_waits(socket);
  one == nullptr ? remove_from_all() : static_cast<void>(one->sleepers.fetch_sub(1));
}

bool Sleepers::somebody(std::uint32_t socket, const SocketWaits& waits) const {
  return waits.sleepers.load() != 0 || everywhere_.load() != 0 || epoll_sets.sleep_on(socket);
}

bool Sleepers::may_wake(Handle handle, Connection& connection) {
  const std::uint32_t socket = handle.index();
  SocketWaits* one = waits(socket);
  const std::uint32_t kept = all_kept_.load(std::memory_order_relaxed);
  if (kept != 0) [[unlikely]]
    connection.receive_by_kernel(static_cast<abi::Reason>(kept));
  if (one == nullptr || kept != 0) return false;
  // The bit first, then the look at the sleepers, who do it the other way round: one of us sees the other.
  keep_looking(handle);
  if (!somebody(socket, *one)) return true;
  // Where the sender may go on by the ring by himself, somebody has to look there.
  if (connection.unread() == 0 && connection.is_marked_plainly()) fall_asleep(handle);
  return false;
}

void Sleepers::mark(Handle handle) {
  Connection* connection = connection_of(handle);
  if (connection != nullptr) connection->mark(handle);
}

}  // namespace sockdoc::preload
