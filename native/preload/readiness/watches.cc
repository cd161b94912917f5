#include "preload/readiness/watches.h"

#include "preload/table/table.h"

namespace sockdoc::preload {

using std::memory_order_relaxed;

constinit std::int64_t longest_watch_ns = 100'000'000;

void Watches::fall_asleep(One& one) {
  std::atomic<std::uint64_t>& state = page_of(*one.slab).watches[one.index].state;
  std::uint64_t before = state.load(memory_order_relaxed);
  do {
    one.asleep = ((before >> 1) + 1) << 1 | abi::Watch::kAsleep;
  } while (!state.compare_exchange_weak(before, one.asleep));
}

bool Watches::ours() {
  if (process_ == table.process()) return true;
  process_ = table.process();
  count_ = 0;
  return false;
}

void Watches::begin() {
  (void)ours();
  for (unsigned i = 0; i < count_; i++) {
    ones_[i].asked_for = false;
    fall_asleep(ones_[i]);
  }
}

std::uint32_t Watches::of(MappedSlab& slab) {
  if (!ours()) return 0;
  for (unsigned i = 0; i < count_; i++) {
    if (ones_[i].slab != &slab) continue;
    ones_[i].asked_for = true;
    return ones_[i].index + 1;
  }
  if (count_ == kMost || slab.memory == nullptr) return 0;
  std::atomic<std::uint32_t>& taken = page_of(slab).taken;
  std::uint32_t before = taken.load(memory_order_relaxed);
  std::uint32_t index = 0;
  do {
    index = static_cast<std::uint32_t>(__builtin_ctz(~before | 1U << abi::kWatches));
    if (index == abi::kWatches) return 0;
  } while (!taken.compare_exchange_weak(before, before | 1U << index));
  slab.users.fetch_add(1);
  ones_[count_] = {&slab, index, true, 0};
  fall_asleep(ones_[count_]);
  count_++;
  return index + 1;
}

bool Watches::begun() {
  if (!ours()) return false;
  for (unsigned i = 0; i < count_;) {
    if (ones_[i].asked_for) {
      i++;
      continue;
    }
    release(ones_[i]);
    ones_[i] = ones_[--count_];
  }
  return count_ != 0;
}

void Watches::end() {
  if (!ours()) return;
  for (unsigned i = 0; i < count_; i++) {
    std::uint64_t asleep = ones_[i].asleep;
    // Where it fails somebody has been before us.
    (void)page_of(*ones_[i].slab)
        .watches[ones_[i].index]
        .state.compare_exchange_strong(asleep, asleep & ~abi::Watch::kAsleep);
  }
}

void Watches::release(One& one) {
  page_of(*one.slab).taken.fetch_and(~(1U << one.index));
  one.slab->users.fetch_sub(1);
}

void Watches::release_all() {
  if (!ours()) return;
  while (count_ > 0) release(ones_[--count_]);
}

}  // namespace sockdoc::preload
