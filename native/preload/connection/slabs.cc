#include "preload/connection/slabs.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>

#include "abi/slab.h"
#include "base/raw.h"
#include "preload/connection/headroom.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace sockdoc::preload {
MappedSlab* MappedSlabs::find(const abi::Place& place) {
  for (std::size_t i = 0; i < used_; i++) {
    MappedSlab& slab = slabs_[i];
    if (slab.memory == nullptr || slab.id != place.slab) continue;
    return slab.slots == place.slots && slab.ring_bytes == place.ring_bytes ? &slab : nullptr;
  }
  return nullptr;
}

MappedSlab* MappedSlabs::map(const abi::Place& place, int memory) {
  std::size_t at = 0;
  while (at < used_ && slabs_[at].memory != nullptr) at++;
  if (at == kMost) return nullptr;
  const std::uint64_t bytes = abi::slab_bytes(place.slots, place.ring_bytes);
  const long mapped = raw(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (failed(mapped)) return nullptr;
  if (failed(raw(SYS_madvise, mapped, bytes, MADV_DONTFORK))) {
    raw(SYS_munmap, mapped, bytes);
    return nullptr;
  }
  MappedSlab& slab = slabs_[at];
  slab.id = place.slab;
  slab.memory = reinterpret_cast<std::byte*>(mapped);
  slab.slots = place.slots;
  slab.ring_bytes = place.ring_bytes;
  slab.users = 0;
  slab.retired = false;
  if (at == used_) used_++;
  return &slab;
}

void MappedSlabs::peer_gone(std::uint64_t id) {
  for (std::size_t i = 0; i < used_; i++) {
    if (slabs_[i].memory != nullptr && slabs_[i].id == id) slabs_[i].retired = true;
  }
}

bool MappedSlabs::give_doorbell(std::uint64_t id, int fd) {
  for (std::size_t i = 0; i < used_; i++) {
    MappedSlab& slab = slabs_[i];
    if (slab.memory != nullptr && slab.id == id) return slab.doorbell.take(fd);
  }
  return false;
}

void MappedSlabs::leave_set(Handle set, int number) {
  for (std::size_t i = 0; i < used_; i++) slabs_[i].doorbell.part(set, number);
}

void MappedSlabs::close_doorbells() {
  for (std::size_t i = 0; i < used_; i++) slabs_[i].doorbell.close();
}

void MappedSlabs::new_monitor() {
  for (std::size_t i = 0; i < used_; i++) slabs_[i].retired = true;
}

void MappedSlabs::sweep() {
  for (std::size_t i = 0; i < used_; i++) {
    MappedSlab& slab = slabs_[i];
    if (slab.memory == nullptr || !slab.retired || slab.users.load() != 0) continue;
    raw(SYS_munmap, slab.memory, abi::slab_bytes(slab.slots, slab.ring_bytes));
    slab.memory = nullptr;
    slab.doorbell.close();
  }
}

void MappedSlabs::make_inert() {
  close_doorbells();
  for (std::size_t i = 0; i < used_; i++) {
    const MappedSlab& slab = slabs_[i];
    if (slab.memory == nullptr) continue;
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    raw(SYS_mmap, slab.memory, abi::slab_bytes(slab.slots, slab.ring_bytes), PROT_READ | PROT_WRITE, kFlags, -1, 0);
  }
}

void MappedSlabs::unmap_all() {
  close_doorbells();
  for (std::size_t i = 0; i < used_; i++) {
    MappedSlab& slab = slabs_[i];
    if (slab.memory != nullptr) raw(SYS_munmap, slab.memory, abi::slab_bytes(slab.slots, slab.ring_bytes));
    slab.memory = nullptr;
  }
  used_ = 0;
}

void MappedSlabs::forget_all() {
  close_doorbells();
  used_ = 0;
}

bool populate(std::span<std::byte> memory) {
  if (!memory_is_left_for(memory.size())) return false;
  const auto within = reinterpret_cast<std::uintptr_t>(memory.data()) % abi::kPage;
  const long result = raw(SYS_madvise, memory.data() - within, memory.size() + within, MADV_POPULATE_WRITE);
  // A kernel that does not know it: the pages come when they are touched.
  return !failed(result) || result == -EINVAL;
}

bool populate(std::byte* slot, std::uint32_t ring_bytes) {
  const std::uint32_t first = ring_bytes < kFirstBytes ? ring_bytes : kFirstBytes;
  return populate({slot, abi::kPage + first}) && populate({slot + abi::kPage + ring_bytes, first});
}

void give_back(std::span<std::byte> memory) { raw(SYS_madvise, memory.data(), memory.size(), MADV_REMOVE); }

}  // namespace sockdoc::preload
