#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/messages.h"
#include "preload/connection/doorbell.h"

namespace sockdoc::preload {

/** A slab that this process maps. */
struct MappedSlab {
  std::uint64_t id = 0;
  std::byte* memory = nullptr;
  std::uint32_t slots = 0;
  std::uint32_t ring_bytes = 0;
  std::atomic<std::uint32_t> users{0};  // connections
  bool retired = false;                 // no connection comes to it any more
  Doorbell doorbell;
};

/** The slabs of this process, by number. All but `users` under the lock of the link to the monitor. */
class MappedSlabs {
 public:
  /** Maps `memory`, which stays open; null when there is no room. Not inherited by children. */
  [[nodiscard]] MappedSlab* map(const abi::Place& place, int memory);
  [[nodiscard]] MappedSlab* find(const abi::Place& place);
  void peer_gone(std::uint64_t id);
  /** A doorbell for that slab. True: it was taken; else it is the caller's still. */
  [[nodiscard]] bool give_doorbell(std::uint64_t id, int fd);
  /** No doorbell is in this epoll set any more. */
  void leave_set(Handle set, int number);
  void close_doorbells();
  /** A monitor gives nothing out from slabs of its predecessor, and does not know whose peers have ended since. */
  void new_monitor();
  /** Lets go of those whose connections are closed and will not be followed by others. */
  void sweep();
  /** Their memory is given back, and what is still written there has no effect. With all other threads stopped. */
  void make_inert();
  /** Nobody looks there any more. */
  void unmap_all();
  /** In a child, which has no mapping. */
  void forget_all();

 private:
  static constexpr std::size_t kMost = 4096;
  MappedSlab slabs_[kMost];
  std::size_t used_ = 0;
};

/** Of each ring of a slot, populate() sees to so much: enough for small messages. */
inline constexpr std::uint32_t kFirstBytes = 16384;

/** Makes sure that the pages of a slot which come into use first are there; false without memory. */
[[nodiscard]] bool populate(std::byte* slot, std::uint32_t ring_bytes);
/** The same for one stretch, whose begin may lie within a page. */
[[nodiscard]] bool populate(std::span<std::byte> memory);
/** Gives the pages back, for both processes; what is read there is zero from then on. Both ends on a page. */
void give_back(std::span<std::byte> memory);

}  // namespace sockdoc::preload
