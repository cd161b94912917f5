#include "inject/redirection.h"

#include <algorithm>

#include "inject/process/maps.h"

namespace sockdoc::inject {
namespace {

constexpr std::size_t kMostOfStack = 256 * 1024;
constexpr std::size_t kTrampoline = 32;

/** What sockdoc_libsd_pending and the hooks below it use of a stack, and a signal handler's frame. */
constexpr std::size_t kRoomBelow = 16 * 1024;

Refusal busy(const char* why) {
  return {"busy-text", std::string("A thread ") + why + " whenever all were stopped.", "Try again."};
}

class Redirection {
 public:
  Redirection(Visit& visit, const Memory& memory, Address restorer, std::span<const sockdoc_attach_site> sites,
              const arch::Pending& pending)
      : visit_(visit), memory_(memory), restorer_(restorer), sites_(sites), pending_(pending) {}

  Refused plan(Thread& thread);
  bool carry_out();

 private:
  /** The site whose displaced bytes, behind the first, this address is in. */
  [[nodiscard]] const sockdoc_attach_site* site_of(std::uint64_t address) const {
    for (const auto& site : sites_) {
      if (address > site.at && address < site.at + site.displaced) return &site;
    }
    return nullptr;
  }
  [[nodiscard]] std::optional<Address> behind_copy(const sockdoc_attach_site& site) const;
  [[nodiscard]] Refused look_at_handlers(const Thread& thread) const;

  struct Change {
    Thread* thread;
    arch::Registers registers;
    arch::Registers alone;
  };
  Visit& visit_;
  Memory memory_;
  Address restorer_;
  std::span<const sockdoc_attach_site> sites_;
  arch::Pending pending_;
  std::vector<Change> changes_;
  std::vector<std::uint64_t> stack_ = std::vector<std::uint64_t>(kMostOfStack / sizeof(std::uint64_t));
};

/** Behind the system call in the trampoline, which has a copy of it. */
std::optional<Address> Redirection::behind_copy(const sockdoc_attach_site& site) const {
  for (std::size_t i = 0; i + arch::kSystemCallBytes <= kTrampoline; i++) {
    const Address at = Address{site.trampoline} + i;
    if (arch::is_system_call(memory_, at)) return at + arch::kSystemCallBytes;
  }
  return std::nullopt;
}

/** A handler that interrupted a call will go back to make it again, by the kernel and unseen. */
Refused Redirection::look_at_handlers(const Thread& thread) const {
  const Address top{thread.registers.rsp & ~std::uint64_t{7}};
  const std::size_t got =
      memory_.read(top, const_cast<std::uint64_t*>(stack_.data()), kMostOfStack) / sizeof(std::uint64_t);
  for (std::size_t i = 0; i < got; i++) {
    if (stack_[i] != number(restorer_)) continue;
    const auto back = arch::interrupted_by_handler(memory_, top + i * sizeof(std::uint64_t));
    if (!back) continue;
    if (site_of(back->rip) != nullptr) return busy("was to come back from a signal handler to code that changes");
    if (may_wait_in_hook(static_cast<long>(back->rax)) && arch::is_system_call(memory_, Address{back->rip})) {
      return busy("was to come back from a signal handler to a call that waits");
    }
  }
  return std::nullopt;
}

Refused Redirection::plan(Thread& thread) {
  const arch::Registers& now = thread.registers;
  const sockdoc_attach_site* inside = site_of(now.rip);
  std::optional<Address> back = Address{now.rip};
  if (inside != nullptr) {
    back = arch::behind_system_call(memory_, now) && inside->syscall_inside != 0 ? behind_copy(*inside) : std::nullopt;
    if (!back) return busy("stood in code that changes");
  }
  if (auto refusal = look_at_handlers(thread)) return refusal;
  const bool waits = thread.call.broken() && thread.call.hooked;
  if (waits && !memory_.has_stack(Address{now.rsp}, kRoomBelow)) {
    return Refusal{"stack", "The stack of a thread that waits has too little room for libsd below what it uses.",
                   "Try again when that thread has gone on."};
  }
  if (waits) {
    const auto to = arch::redirected(now, pending_, *back, thread.call.done, thread.waited_ms);
    changes_.push_back({&thread, to.by_kernel, to.alone});
  } else if (inside != nullptr) {
    arch::Registers moved = now;
    moved.rip = number(*back);
    changes_.push_back({&thread, moved, moved});
  }
  return std::nullopt;
}

bool Redirection::carry_out() {
  for (const Change& change : changes_) {
    if (change.thread == &visit_.host()) {
      visit_.go_on_at(change.alone, change.registers);
      continue;
    }
    if (!change.thread->tracee.set(change.registers)) return false;
    change.thread->settled = true;
  }
  return true;
}

}  // namespace

Refused redirect(Threads& threads, Visit& visit, const Memory& memory, Address restorer,
                 std::span<const sockdoc_attach_site> sites, const arch::Pending& pending) {
  Redirection redirection(visit, memory, restorer, sites, pending);
  for (const auto& [tid, thread] : threads.all()) {
    if (thread->tracee.condition() == Tracee::Condition::ended) continue;
    if (auto refusal = redirection.plan(*thread)) return refusal;
  }
  if (!redirection.carry_out()) return gone();
  return std::nullopt;
}

}  // namespace sockdoc::inject
