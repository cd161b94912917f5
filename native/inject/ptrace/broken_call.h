#pragma once

#include <cstdint>
#include <optional>

#include "inject/process/facts.h"
#include "inject/ptrace/tracee.h"

namespace sockdoc::inject {

/**
 * What a stop has done to the system call that a thread was in. The kernel makes most of them again by itself, unseen;
 * but some come back with EINTR, and those that had moved a part of their bytes come back with that part. Neither may
 * reach the program, unless a signal is there for it.
 */
struct BrokenCall {
  enum class Way {
    none,         // in no call, or at the end of one that is complete
    restarts,     // the kernel makes it again
    interrupted,  // EINTR
    partly        // `done` bytes or messages of more, where the program was to get all or wait
  };
  Way way = Way::none;
  long number = -1;
  std::uint32_t done = 0;
  bool hooked = false;  // one that libsd has a hook for, and that can wait
  bool signal = false;  // a signal is there that the program will notice

  [[nodiscard]] bool broken() const { return way != Way::none; }
};

/** Of a thread that is stopped. Puts the number of the call into `registers` where the kernel keeps that to itself. */
BrokenCall broken_call(const Memory& memory, const Tracee& tracee, arch::Registers& registers);

/** read_system_call(), and the number behind a restart_syscall(2). */
Activity look_at_call(const Memory& memory, pid_t tid, SystemCall& into);

/** Whether libsd's hooks make this call, and it may wait. */
bool may_wait_in_hook(long number);

/**
 * Whether how much such a call was to move can be read: a stop that cuts it short could not be told from its end. Asked
 * before the stop.
 */
bool can_be_mended(const Memory& memory, const SystemCall& call);

/** A call that moves a part of its bytes and then waits: a stop cuts it short, which is seen until libsd goes on with
 * it. */
bool moves_parts(const SystemCall& call);

/**
 * Milliseconds that a thread has slept in one piece, as far as is known, so that a timeout is not waited for twice:
 * `before` it was stopped, and `now` that it is. 0 when it woke since. Rather too few than too many: a call that ends
 * late is what busy machines do, one that ends early is an error.
 */
std::uint32_t waited_ms(const std::optional<Sleep>& before, const std::optional<Sleep>& now);

/**
 * Registers for the call to be made again without libsd, by the kernel's own way, with the time that has passed taken
 * off its timeout. Nothing when the kernel does all that by itself, or nothing was broken off.
 */
std::optional<arch::Registers> mended(const BrokenCall& call, const arch::Registers& registers,
                                      std::uint32_t waited_ms);

/**
 * The same for a thread that has made other calls since, for which the kernel has forgotten how to make this one again.
 */
arch::Registers mended_after_others(const BrokenCall& call, const arch::Registers& registers, std::uint32_t waited_ms);

/** Where what is left of a sleep lies, which the call would begin anew with; nothing for other calls. */
std::optional<Address> left_of_sleep(const BrokenCall& call, const arch::Registers& registers);

/** The same with nothing left to the kernel: what has to be known where other calls come between. */
arch::Registers standing_alone(const BrokenCall& call, const arch::Registers& registers, std::uint32_t waited_ms);

}  // namespace sockdoc::inject
