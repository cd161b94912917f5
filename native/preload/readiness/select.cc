#include <sys/syscall.h>

#include "preload/calls.h"
#include "preload/readiness/named.h"
#include "preload/readiness/poll.h"
#include "preload/readiness/user_memory.h"

namespace sockdoc::preload {
namespace {

constexpr unsigned kWordBits = 64;
using Word = std::uint64_t;

constinit std::atomic<std::uint64_t> kernel_asked{0};
constinit std::atomic<std::uint32_t> calls_since{0};

/** The descriptors of `in` as the program gave them: the kernel writes its answer over them. */
class Asked {
 public:
  /** False without memory. */
  bool copy(const fd_set* from, unsigned descriptors) {
    words_ = (descriptors + kWordBits - 1) / kWordBits;
    bits_ = words_ <= kSmall ? small_ : static_cast<Word*>(fresh_memory(words_ * sizeof(Word)));
    if (bits_ == nullptr) return false;
    __builtin_memcpy(bits_, from, words_ * sizeof(Word));
    if (descriptors % kWordBits != 0) bits_[words_ - 1] &= (Word{1} << descriptors % kWordBits) - 1;
    return true;
  }
  Asked() = default;
  ~Asked() {
    if (bits_ != nullptr && bits_ != small_) raw(SYS_munmap, bits_, words_ * sizeof(Word));
  }
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  template <typename Visit>
  void each(Visit visit) const {
    for (unsigned word = 0; word < words_; word++) {
      for (Word bits = bits_[word]; bits != 0; bits &= bits - 1) {
        visit(static_cast<int>(word * kWordBits) + __builtin_ctzll(bits));
      }
    }
  }
  template <typename Visit>
  void each_socket(Visit visit) const {
    each([&](int fd) {
      const Handle socket = table.find(fd);
      if (socket) visit(fd, socket);
    });
  }

 private:
  static constexpr unsigned kSmall = 16;  // FD_SETSIZE
  Word small_[kSmall];
  Word* bits_ = nullptr;
  unsigned words_ = 0;
};

bool empty(const fd_set* set, int count) {
  if (set == nullptr) return true;
  const auto* words = reinterpret_cast<const Word*>(set);
  for (int fd = 0; fd < count; fd++) {
    if ((words[fd / kWordBits] >> fd % kWordBits & 1) != 0) return false;
  }
  return true;
}

int ask(const SelectWait& wait, const Timeout& timeout, const sigset_t* mask) {
  timespec left = {};
  return wait.way(wait.count, wait.in, wait.out, wait.error, timeout.in(left), mask);
}

bool anything_readable(const Asked& asked) {
  bool result = false;
  asked.each_socket([&](int, Handle socket) { result = result || ring_readable(socket); });
  return result;
}

int merge(const SelectWait& wait, const Asked& asked, int count) {
  auto* words = reinterpret_cast<Word*>(wait.in);
  asked.each_socket([&](int fd, Handle socket) {
    const Word bit = Word{1} << static_cast<unsigned>(fd) % kWordBits;
    Word& word = words[static_cast<unsigned>(fd) / kWordBits];
    if ((word & bit) != 0 || !ring_readable(socket)) return;
    word |= bit;
    count++;
  });
  return count;
}

/** True when nothing is asked for that only the kernel knows. */
bool rings_alone(const SelectWait& wait, const Asked& asked) {
  if (wait.count > FD_SETSIZE || !empty(wait.out, wait.count) || !empty(wait.error, wait.count)) return false;
  bool result = true;
  asked.each([&](int fd) {
    const Handle socket = table.find(fd);
    result = result && socket && sleepers.is_awake(socket.index());
  });
  return result;
}

int answer(const SelectWait& wait, const Asked& asked, KernelTurn& kernel, std::uint64_t now) {
  if (rings_alone(wait, asked) && !kernel.due(now)) {
    kernel.count();
    auto* words = reinterpret_cast<Word*>(wait.in);
    asked.each([&](int fd) {
      words[static_cast<unsigned>(fd) / kWordBits] &= ~(Word{1} << static_cast<unsigned>(fd) % kWordBits);
    });
    return merge(wait, asked, 0);
  }
  kernel.taken(now);
  const int count = ask(wait, Timeout::ns(0), nullptr);
  return count < 0 ? count : merge(wait, asked, count);
}

int sleep(SelectWait& wait, const Asked& asked, NamedSockets& named, const SignalsHeld& signals) {
  asked.each_socket([&](int, Handle socket) {
    named.add(socket);
    if (sleepers.is_awake(socket.index())) sleepers.mark(socket);
  });
  if (anything_readable(asked)) {
    const int count = ask(wait, Timeout::ns(0), nullptr);
    return count < 0 ? count : merge(wait, asked, count);
  }
  wait.timeout.pass();
  const int count = ask(wait, wait.timeout, wait.mask != nullptr ? wait.mask : signals.mask());
  wait.timeout.pass();
  return count;
}

}  // namespace

int select_by_function(int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout,
                       const sigset_t* mask) {
  return sockdoc_original_pselect(count, in, out, error, timeout, mask);
}

int select_by_syscall(int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout,
                      const sigset_t* mask) {
  timespec copy = timeout == nullptr ? timespec{} : *timeout;  // the kernel writes there what was left
  const long masks[2] = {reinterpret_cast<long>(mask), sizeof(std::uint64_t)};
  return static_cast<int>(sockdoc_original_syscall(
      SYS_pselect6, count, reinterpret_cast<long>(in), reinterpret_cast<long>(out), reinterpret_cast<long>(error),
      timeout == nullptr ? 0 : reinterpret_cast<long>(&copy), reinterpret_cast<long>(masks)));
}

bool select_in_slices(SelectWait& wait, int& result) {
  fd_set* const sets[] = {wait.in, wait.out, wait.error};
  fd_set kept[3];
  if (wait.timeout.zero() || wait.count <= 0 || wait.count > FD_SETSIZE) return false;
  const std::size_t bytes = (static_cast<unsigned>(wait.count) + kWordBits - 1) / kWordBits * sizeof(Word);
  for (int i = 0; i < 3; i++) {
    if (sets[i] == nullptr) continue;
    if (!readable(sets[i], bytes)) return false;
    __builtin_memcpy(&kept[i], sets[i], bytes);
  }
  wait.timeout.pass();  // the caller tells how much is left
  result = wait_in_slices(wait.timeout, [&](const Timeout& slice) {
    for (int i = 0; i < 3; i++) {
      if (sets[i] != nullptr) __builtin_memcpy(sets[i], &kept[i], bytes);
    }
    SelectWait part = wait;
    part.timeout = slice;
    NamedSockets named;
    int found = 0;
    return select_with_rings(part, named, found) ? found : ask(part, slice, part.mask);
  });
  return true;
}

bool select_with_rings(SelectWait& wait, NamedSockets& named, int& result) {
  if (wait.count <= 0 || wait.in == nullptr) return false;
  // Programs give larger numbers than their sets have room for: the kernel reads no further than descriptors are open.
  unsigned end = static_cast<unsigned>(wait.count);
  if (end > FD_SETSIZE && end > table.end()) end = table.end();
  Asked asked;
  const std::size_t bytes = (end + kWordBits - 1) / kWordBits * sizeof(Word);
  if (!readable(wait.in, bytes) || !asked.copy(wait.in, end)) return false;
  bool sockets = false;
  bool awake = false;
  asked.each_socket([&](int, Handle socket) {
    EpollSet* set = epoll_sets.find(socket);
    if (set != nullptr) set->waited_for();
    sockets = true;
    awake = awake || sleepers.is_awake(socket.index());
  });
  if (!sockets || (!awake && wait.timeout.zero())) return false;
  if (wait.timeout.zero()) {
    const int count = ask(wait, wait.timeout, wait.mask);
    result = count < 0 ? count : merge(wait, asked, count);
    return true;
  }
  if (!awake) {
    asked.each_socket([&](int, Handle socket) { named.add(socket); });
    asked.each_socket([&](int, Handle socket) { awake = awake || sleepers.is_awake(socket.index()); });
    if (!awake) return false;
  }
  SignalsHeld signals;
  Spin spin(wait.timeout);
  {
    KernelTurn kernel(kernel_asked, calls_since, KernelTurn::kCalls);
    bool found = anything_readable(asked);
    if (!found && wait.mask == nullptr && spin.worth_it()) {
      const auto peers = [&](Peers& into) {
        if (!rings_alone(wait, asked)) into.add_others();
        asked.each_socket([&](int, Handle socket) { into.add(socket); });
      };
      while (!found && spin.go_on(signals, peers)) {
        found = anything_readable(asked);
      }
      spin.ended(found);
    }
    if (found) {
      result = answer(wait, asked, kernel, ticks());
      return true;
    }
  }
  notice_messages();
  result = sleep(wait, asked, named, signals);
  if (result > 0) spin.slept();
  return true;
}

}  // namespace sockdoc::preload
