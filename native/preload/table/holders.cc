#include "preload/table/holders.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include "base/raw.h"
#include "preload/table/own.h"

namespace sockdoc::preload {

namespace {

constexpr std::size_t kLifelineBytes = 4096;                // of which none is ever touched
constexpr std::uint64_t kShortly = std::uint64_t{1} << 21;  // ticks: about a millisecond

}  // namespace

Holders::Shared* Holders::shared() {
  Shared* shared = shared_.load();
  if (shared != nullptr) return shared;
  const long mapped = raw(SYS_mmap, 0, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (failed(mapped)) return nullptr;
  if (shared_.compare_exchange_strong(shared, reinterpret_cast<Shared*>(mapped))) return shared_.load();
  raw(SYS_munmap, mapped, sizeof(Shared));
  return shared;
}

/** All zero in a child: what it has, its parent had too. */
Holders::Given* Holders::given() {
  Given* given = given_.load();
  if (given != nullptr) return given;
  auto* fresh = static_cast<Given*>(fresh_memory(sizeof(Given)));
  if (fresh == nullptr) return nullptr;
  if (!failed(raw(SYS_madvise, fresh, sizeof(Given), MADV_WIPEONFORK)) &&
      given_.compare_exchange_strong(given, fresh)) {
    return fresh;
  }
  raw(SYS_munmap, fresh, sizeof(Given));
  return given;
}

unsigned Holders::expect_child() {
  Shared* all = shared();
  if (all == nullptr) return kUnknown;
  std::uint32_t taken = all->numbers.load();
  while (taken != ~std::uint32_t{0}) {
    const auto number = static_cast<unsigned>(__builtin_ctz(~taken));
    if (!all->numbers.compare_exchange_weak(taken, taken | std::uint32_t{1} << number)) continue;
    all->parents[number] = kin_;
    throw_lifeline(children_[number]);
    return number;
  }
  return kUnknown;
}

/** Without memory or descriptors there is none. */
void Holders::throw_lifeline(Child& child) {
  const OwnDescriptors::Making alone;
  const long file = raw(SYS_memfd_create, "sockdoc lifeline", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (failed(file)) return;
  const long memory = raw(SYS_mmap, 0, kLifelineBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  struct stat info = {};
  const bool usable = !failed(memory) && !failed(raw(SYS_fstat, file, &info));
  const int place = usable ? own_descriptors.adopt(static_cast<int>(file)) : -1;
  if (place >= 0) {
    child.inode = info.st_ino;
    child.memory = reinterpret_cast<void*>(memory);
    child.lifeline = static_cast<std::uint32_t>(place) + 1;
    return;
  }
  if (!failed(memory)) raw(SYS_munmap, memory, kLifelineBytes);
  raw(SYS_close, file);
}

void Holders::born(unsigned number, std::int32_t process) {
  if (number == kUnknown) return;
  Child& child = children_[number];
  if (child.lifeline.load() != 0) raw(SYS_munmap, child.memory, kLifelineBytes);
  child.process.store(process);
}

void Holders::begin_as(unsigned number) {
  mine_ = number;
  looking_ = 0;
  if (number != kUnknown) kin_ = number;
  forget_children();
}

void Holders::forget_children() {
  for (Child& child : children_) {
    child.process.store(0, std::memory_order_relaxed);
    const std::uint32_t lifeline = child.lifeline.exchange(0);
    if (lifeline != 0) own_descriptors.release(lifeline - 1);
  }
}

/** Waited for or not: what has ended has closed its descriptors. Its id may be another child's by now, and then it
 * lives for us. */
bool Holders::is_no_more(std::int32_t process) {
  siginfo_t info = {};
  const long result = raw(SYS_waitid, P_PID, process, &info, WEXITED | WNOHANG | WNOWAIT, nullptr);
  return process < 0 || result == -ECHILD || (result == 0 && info.si_pid == process);
}

/** Where the program has closed it, behind our back, nothing is known any more. */
bool Holders::is_let_go(const Child& child) {
  const std::uint32_t lifeline = child.lifeline.load();
  const int file = lifeline == 0 ? -1 : own_descriptors.number(lifeline - 1);
  struct stat info = {};
  return file >= 0 && !failed(raw(SYS_fstat, file, &info)) && info.st_ino == child.inode &&
         !failed(raw(SYS_fcntl, file, F_ADD_SEALS, F_SEAL_WRITE));
}

void Holders::count_out_at_times() {
  const std::uint64_t now = __builtin_ia32_rdtsc();
  if (now < due_.load(std::memory_order_relaxed)) return;
  due_.store(now + kShortly, std::memory_order_relaxed);
  count_out_ended();
}

/** One at a time: a number that is free may be another child's at once. */
void Holders::count_out_ended() {
  if (looking_.exchange(1) != 0) return;
  for (unsigned number = 0; number < kUnknown; number++) look_after(number);
  looking_ = 0;
}

void Holders::look_after(unsigned number) {
  Child& child = children_[number];
  const std::int32_t process = child.process.load();
  const std::uint32_t lifeline = child.lifeline.load();
  if (process == 0 && lifeline == 0) return;
  if (lifeline != 0 && is_let_go(child)) {
    child.process = 0;
    child.lifeline = 0;
    own_descriptors.release(lifeline - 1);
    const std::uint32_t all = with_all_that_came_of(number);
    count_out_everywhere(all, true);
    free_numbers(all);
  } else if (lifeline == 0 && is_no_more(process)) {
    child.process = 0;
    count_out_everywhere(std::uint32_t{1} << number, false);
    free_numbers(std::uint32_t{1} << number);
  }
}

void Holders::free_numbers(std::uint32_t numbers) {
  Shared& all = *shared_.load();
  for (std::uint32_t rest = numbers; rest != 0; rest &= rest - 1) {
    all.parents[static_cast<unsigned>(__builtin_ctz(rest))] = kUnknown;
  }
  all.numbers.fetch_and(~numbers);
}

std::uint32_t Holders::with_all_that_came_of(unsigned number) const {
  const Shared& all = *shared_.load();
  const std::uint32_t taken = all.numbers.load();
  std::uint32_t found = std::uint32_t{1} << number;
  for (std::uint32_t before = 0; before != found;) {
    before = found;
    for (unsigned other = 0; other < kUnknown; other++) {
      const std::uint32_t parent = all.parents[other].load();
      const bool comes_of_them = parent < kUnknown && (found >> parent & 1) != 0;
      if ((taken >> other & 1) != 0 && comes_of_them) found |= std::uint32_t{1} << other;
    }
  }
  return found;
}

/** Also of what we do not have: nobody else would. */
void Holders::count_out_everywhere(std::uint32_t numbers, bool all_that_came_of_them) {
  Shared& all = *shared_.load();
  Given* given = given_.load();
  const std::uint32_t end = all.end.load();
  for (std::uint32_t place = 0; place < end; place++) {
    const auto had =
        static_cast<std::uint32_t>(all.counts[place].load(std::memory_order_relaxed) >> kFirstChild) & numbers;
    for (std::uint32_t rest = had; rest != 0; rest &= rest - 1) {
      count_out(all.counts[place], static_cast<unsigned>(__builtin_ctz(rest)));
    }
    if (all_that_came_of_them && given != nullptr &&
        (given->to[place].load(std::memory_order_relaxed) & numbers) != 0) {
      given->to[place].fetch_and(~std::uint64_t{numbers});
    }
  }
}

std::uint32_t Holders::share(std::uint32_t place, unsigned child) {
  constexpr std::uint64_t kTwo = 2;  // we and the child
  if (place != kNone) {
    // First: who looks whether all that it was given to is gone sees either this, or the count as it was.
    give(place, child);
    at(place).fetch_add(1);
    // Not added: one without a number may be counted as one that had this.
    at(place).fetch_or(bit(child));
    return place;
  }
  place = unused_place();
  if (place == kNone) return kNone;
  at(place).store(kTwo + bit(mine_) + bit(child));
  if (Given* all = given(); all != nullptr) all->to[place - 1] = kMine;
  give(place, child);
  return place;
}

/** Among those that were used before, where one is free soon: so few are to be looked at when a child has ended. */
std::uint32_t Holders::unused_place() {
  constexpr std::uint32_t kLooks = 256;
  constexpr std::uint32_t kMore = 64;
  Shared* all = shared();
  for (std::uint32_t end = all == nullptr ? kPlaces + 1 : all->end.load(); end <= kPlaces; end = all->end.load()) {
    for (std::uint32_t look = 0; look < kLooks && look < end; look++) {
      const std::uint32_t candidate = next_.fetch_add(1, std::memory_order_relaxed) % end;
      std::uint64_t unused = 0;
      if (all->counts[candidate].compare_exchange_strong(unused, 1)) return candidate + 1;
    }
    if (end == kPlaces) break;
    next_ = end;
    (void)all->end.compare_exchange_strong(end, end + kMore);
  }
  return kNone;
}

/** Before it is. */
void Holders::give(std::uint32_t place, unsigned child) {
  Given* all = given();
  if (all == nullptr) return;
  const bool by_lifeline = child != kUnknown && children_[child].lifeline.load() != 0;
  by_lifeline ? all->to[place - 1].fetch_or(std::uint64_t{1} << child) : all->to[place - 1].fetch_add(kToOthers);
}

void Holders::leave(std::uint32_t place) {
  if (place == kNone) return;
  std::uint64_t seen = at(place).load();
  while (!at(place).compare_exchange_weak(seen, (seen & ~bit(mine_)) - 1)) {
  }
}

void Holders::count_out(std::atomic<std::uint64_t>& word, unsigned child) {
  std::uint64_t seen = word.load();
  while ((seen & bit(child)) != 0 && !word.compare_exchange_weak(seen, (seen & ~bit(child)) - 1)) {
  }
}

bool Holders::alone(std::uint32_t place) {
  if (place == kNone) return false;
  Given* all = given_.load();
  std::uint64_t given = all == nullptr ? 0 : all->to[place - 1].load();
  std::uint64_t word = at(place).load();
  const std::uint64_t one = 1 + bit(mine_);
  if (word == one) {
    constexpr std::uint64_t kNumbers = kToOthers - 1;
    if (all != nullptr) (void)all->to[place - 1].compare_exchange_strong(given, kMine | (given & kNumbers));
    return true;
  }
  // Those that were not counted out are no more either.
  const bool nobody_is_left = all != nullptr && all->to[place - 1].load() == kMine && (word & kForbidden) == 0;
  return nobody_is_left && at(place).compare_exchange_strong(word, one);
}

}  // namespace sockdoc::preload
