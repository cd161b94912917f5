#include "preload/readiness/watches.h"

#include "preload/monitor/link.h"
#include "preload/table/table.h"

namespace sockdoc::preload {

using std::memory_order_relaxed;

constinit std::int64_t longest_watch_ns = 100'000'000;

void Watches::fall_asleep(One& one) {
  std::atomic<std::uint64_t>& state = page_of(*one.slab).watches[one.index].state;
  std::uint64_t before = state.load(memory_order_relaxed);
  do {
    one.asleep = ((before >> abi::Watch::kBits) + 1) << abi::Watch::kBits |
                 (one.by_doorbell ? abi::Watch::kByDoorbell : 0) | abi::Watch::kAsleep;
  } while (!state.compare_exchange_weak(before, one.asleep));
}

bool Watches::ours() {
  if (process_ == table.process()) return true;
  process_ = table.process();
  count_ = 0;
  return false;
}

bool Watches::begin(Handle set, int number) {
  (void)ours();
  set_ = set;
  number_ = number;
  bool any = false;
  for (unsigned i = 0; i < count_; i++) {
    MappedSlab& slab = *ones_[i].slab;
    if (slab.doorbell.worth_asking() && monitor_link.want_doorbell(slab.id)) slab.doorbell.asked();
    ones_[i].by_doorbell = number >= 0 && ones_[i].sleeps >= kSleepsBeforeDoorbell && slab.doorbell.join(set, number);
    ones_[i].asked_before = ones_[i].asked;
    ones_[i].asked = 0;
    any = any || ones_[i].by_doorbell;
    if (ones_[i].index != kNone) fall_asleep(ones_[i]);
  }
  return any;
}

void Watches::take_one(One& one) {
  if (one.slab->memory == nullptr) return;
  std::atomic<std::uint32_t>& taken = page_of(*one.slab).taken;
  std::uint32_t before = taken.load(memory_order_relaxed);
  std::uint32_t index = 0;
  do {
    index = static_cast<std::uint32_t>(__builtin_ctz(~before | 1U << kNone));
    if (index == kNone) return;
  } while (!taken.compare_exchange_weak(before, before | 1U << index));
  one.slab->users.fetch_add(1);
  one.index = index;
  fall_asleep(one);
}

std::uint32_t Watches::of(MappedSlab& slab) {
  if (!ours()) return 0;
  unsigned at = 0;
  while (at < count_ && ones_[at].slab != &slab) at++;
  if (at == kMost) return 0;
  One& one = ones_[at];
  if (at == count_) {
    one = {&slab, kNone, 0, 0, 0, 0, false};
    count_++;
  }
  one.asked++;
  if (!one.worth_it()) return 0;
  if (one.index == kNone) take_one(one);
  return one.index == kNone ? 0 : one.index + 1;
}

bool Watches::begun() {
  if (!ours()) return false;
  bool any = false;
  for (unsigned i = 0; i < count_;) {
    One& one = ones_[i];
    const bool watches = one.asked > 0 && one.worth_it();
    if (!watches) release(one);
    any = any || one.index != kNone;
    if (one.asked > 0) {
      one.sleeps++;
      i++;
      continue;
    }
    one.slab->doorbell.part(set_, number_);
    one = ones_[--count_];
  }
  return any;
}

void Watches::end() {
  if (!ours()) return;
  for (unsigned i = 0; i < count_; i++) {
    if (ones_[i].index == kNone) continue;
    std::uint64_t asleep = ones_[i].asleep;
    // Where it fails somebody has been before us.
    (void)page_of(*ones_[i].slab)
        .watches[ones_[i].index]
        .state.compare_exchange_strong(asleep, asleep & ~abi::Watch::kAsleep);
  }
}

void Watches::release(One& one) {
  if (one.index == kNone) return;
  page_of(*one.slab).taken.fetch_and(~(1U << one.index));
  one.slab->users.fetch_sub(1);
  one.index = kNone;
}

void Watches::release_all() {
  if (!ours()) return;
  while (count_ > 0) {
    One& one = ones_[--count_];
    release(one);
    one.slab->doorbell.part(set_, number_);
  }
}

}  // namespace sockdoc::preload
