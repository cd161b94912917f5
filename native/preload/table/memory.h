#pragma once

#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstddef>

#include "base/raw.h"

namespace sockdoc::preload {

/** Zeroed memory of our own; null when there is none. */
inline void* fresh_memory(std::size_t size) {
  const long mapped =
      raw(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return failed(mapped) ? nullptr : reinterpret_cast<void*>(mapped);
}

/** The chunk at `place`, made by whoever comes first; null without memory. */
template <typename Chunk>
Chunk* chunk_at(std::atomic<Chunk*>& place) {
  Chunk* chunk = place.load(std::memory_order_acquire);
  if (chunk != nullptr) return chunk;
  auto* mine = static_cast<Chunk*>(fresh_memory(sizeof(Chunk)));
  if (mine == nullptr) return nullptr;
  if (place.compare_exchange_strong(chunk, mine)) return mine;
  raw(SYS_munmap, mine, sizeof(Chunk));
  return chunk;
}

}  // namespace sockdoc::preload
