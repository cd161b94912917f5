#pragma once

#include <initializer_list>
#include <span>
#include <string>

#include "inject/ptrace/threads.h"
#include "inject/refusal.h"
#include "inject/target/image.h"

namespace sockdoc::inject {

/** The functions of the target's libc by which it is entered. Looked for before anything is stopped: it takes a
 * millisecond. */
struct EntryPoints {
  Address restorer{};  // what ends a signal handler
  Address map{}, unmap{}, system_call{}, errno_location{};
  Address code_end{};
};
std::optional<EntryPoints> find_entry_points(const Image& libc);

/**
 * A thread of the target makes calls for us, on a stack of ours, with all signals blocked but those of faults. From the
 * first moment its registers, its vector state and its signals lie in a frame below what it calls, as below a signal
 * handler: if we are killed, the call ends, rt_sigreturn(2) puts all of it back, and the thread goes on as if nothing
 * had been.
 *
 *   enter()  maps a little memory: by the target's own mmap(), on the thread's own stack below its red zone
 *   call()   a function of the target, by the code of arch::call_code() in that memory; as often as wanted
 *   leave()  the thread unmaps the memory, and is where it was: a signal that came meanwhile has its due
 */
class Visit {
 public:
  Visit(const Memory& memory, const EntryPoints& libc, Thread& host) : memory_(memory), libc_(libc), host_(host) {}
  ~Visit() { leave(); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  /**
   * A call of the thread that was cut short goes on by itself from here on, whatever becomes of us: in libsd where that
   * is there, else in code of ours, which then stays when the memory goes. Also where this is refused.
   */
  Refused enter(const std::optional<arch::Pending>& libsd, const Deadline& deadline);
  Refused call(Address function, std::initializer_list<std::uint64_t> arguments, const Deadline& deadline,
               std::uint64_t& result);

  /** Makes a system call by libc's syscall(); -errno on failure. */
  Refused system_call(std::initializer_list<std::uint64_t> number_and_arguments, const Deadline& deadline,
                      long& result);

  /**
   * A call that was cut short goes on behind libc's code, where its last page has room: for that the thread makes no
   * call of ours. False: there is no room, or no code for such a call.
   */
  bool finish_behind_libc();

  /** The thread that makes the calls, and stands still between them. */
  [[nodiscard]] const Tracee& standing() const { return host_.tracee; }

  /** Memory for arguments: kRoom bytes. */
  [[nodiscard]] Address room() const;
  static constexpr std::size_t kRoom = 16384;

  /** How the thread goes on afterwards, where that is not as it was: by itself, and when we are there to let it go. */
  void go_on_at(const arch::Registers& alone, const arch::Registers& let_go) {
    home_.registers = alone;
    let_go_ = let_go;
    code_stays_ = false;
  }
  [[nodiscard]] Thread& host() { return host_; }

  void leave();

 private:
  enum class State { outside, inside, escaped };
  Refused by_own_stack(Address function, std::initializer_list<std::uint64_t> arguments, long number,
                       const Deadline& deadline, long& result);
  bool prepare_own_stack(Address function, std::span<const std::uint64_t> arguments);
  Refused await_result(const Deadline& deadline);
  [[nodiscard]] Refusal failed(const char* what) const;
  Refusal back_home(const char* why);
  void take_off_sleep() const;
  Refused map(const Deadline& deadline);
  [[nodiscard]] bool finish_at(Address at, Address end);
  void let_go(const Deadline& deadline);
  void rest_at(const arch::Pending& code);

  Memory memory_;
  EntryPoints libc_;
  Thread& host_;
  State state_ = State::outside;
  std::int64_t begin_ = now_ns();
  arch::Context home_;
  std::optional<arch::Registers> let_go_;
  Address errno_at_{};
  std::int32_t errno_value_ = 0;
  Address region_{};
  bool code_stays_ = false;  // it goes on there
};

}  // namespace sockdoc::inject
