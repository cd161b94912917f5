#pragma once

#include <sys/user.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inject/process/facts.h"
#include "inject/target/memory.h"

/*
 * All that the injector knows of the processor and of how Linux uses it: registers at a system call, the frame by which
 * rt_sigreturn(2) sets all of them at once, and the code that runs around a call from outside.
 */
namespace sockdoc::inject::arch {

using Registers = user_regs_struct;

/** All of a thread that a call from outside may change. */
struct Context {
  Registers registers{};
  std::vector<std::uint8_t> vectors;  // as XSAVE writes it, what PTRACE_GETREGSET gives of NT_X86_XSTATE
  std::uint64_t mask = 0;             // blocked signals
};

inline constexpr std::size_t kSystemCallBytes = 2;
inline constexpr std::uint64_t kRedZone = 128;  // below the stack pointer, and the function's own
inline constexpr long kSigreturn = 15;          // rt_sigreturn

/** Whether the thread stopped at the end of a system call, or within one that the stop broke off. */
[[nodiscard]] bool behind_system_call(const Memory& memory, const Registers& registers);

/** The call that a thread stands behind; its number is where the kernel keeps it. */
[[nodiscard]] SystemCall call_in(const Registers& registers);

/**
 * The number of a call that the kernel made again by restart_syscall(2), of which it does not tell: from the code
 * before the instruction at `behind`, where that says `mov $number,%eax`. glibc's does.
 */
[[nodiscard]] std::optional<long> restarted_number(const Memory& memory, Address behind);

/** Of a thread at the beginning or the end of a call: whether it may be the beginning. */
[[nodiscard]] bool may_begin(const Registers& registers);

/** True where the instruction at `at` is the one for system calls. */
[[nodiscard]] bool is_system_call(const Memory& memory, Address at);

/** What the kernel returns when it means to make the call again by itself (include/linux/errno.h); never seen by
 * programs. */
[[nodiscard]] bool kernel_restarts(long result);

/** Of a thread at the beginning of a call: as if it had been broken off there, to be made again whatever comes. */
[[nodiscard]] Registers not_begun(Registers registers);

/** The same call once more, from its beginning, and with nothing left for the kernel to decide. */
[[nodiscard]] Registers again(Registers registers);

/**
 * The same call once more, by the kernel's own way: unless a signal comes first whose handler does not let calls be
 * made again, as its result says; an EINTR becomes one that no handler lets be made again. Only of a thread that
 * stopped on its way out of the kernel.
 */
[[nodiscard]] Registers by_kernel(Registers registers);

/** Where calls go on in the target: sockdoc_libsd_pending and its kin, see preload/libsd.h. */
struct Pending {
  Address call{};
  Address rest{};
};

/**
 * The call goes on in libsd, which comes back to `back`, with `done` bytes of it moved already. Exact, since a system
 * call destroys rcx and r11 anyway. The first is for by_kernel()'s way, the second leaves nothing to the kernel.
 */
struct Redirected {
  Registers by_kernel;
  Registers alone;
};
[[nodiscard]] Redirected redirected(const Registers& registers, const Pending& pending, Address back,
                                    std::uint32_t done, std::uint32_t waited_ms);

/** A function's beginning: the first six arguments, and `stack` where its return address is. */
[[nodiscard]] Registers calling(Registers registers, Address function, std::span<const std::uint64_t> arguments,
                                Address stack);

/**
 * Bytes for `room_end` downwards, so that rt_sigreturn brings the thread to `context`: a return address (`restorer`,
 * which makes that call) and the frame. `at` is where the return address is: what the stack pointer must be when a
 * function begins.
 */
struct Frame {
  Address at{};
  Address begin{};
  std::vector<std::uint8_t> bytes;  // from `begin` on
};
[[nodiscard]] Frame return_frame(const Context& context, Address restorer, Address room_end);

/** glibc's code behind signal handlers, `mov $15,%rax; syscall`: returning to it ends a frame. */
[[nodiscard]] std::string_view restorer_code();

/** Where a signal handler will go back to, of a frame that the kernel has made at `frame` (its return address). */
[[nodiscard]] std::optional<Registers> interrupted_by_handler(const Memory& memory, Address frame);

/**
 * The code around a call, at home wherever it is copied to. It calls, puts the result into the mailbox, waits there,
 * and goes back to what the thread was doing: if nobody comes for the result any more, by itself.
 */
[[nodiscard]] std::span<const std::uint8_t> call_code();

/**
 * What is left of a call that was cut short, and how the kernel is asked for it. Where `takes_header`, the second
 * argument is `header`, which is on the stack when the call is made: the kernel may write to it.
 */
struct Rest {
  std::uint64_t number = 0;
  std::uint64_t arguments[6] = {};
  std::uint64_t header[7] = {};  // struct msghdr
  std::uint64_t takes_header = 0;
};

/**
 * Code that makes the call for the rest, which has to lie right behind it, and returns the sum; otherwise like
 * sockdoc_libsd_pending_rest, and at home wherever it is copied to. For as long as there is no libsd.
 */
[[nodiscard]] std::span<const std::uint8_t> rest_code();

struct Mailbox {
  std::uint32_t done = 0;
  std::uint32_t unused = 0;
  std::uint64_t result = 0;
  std::int64_t patience[2] = {1, 0};  // struct timespec
};

[[nodiscard]] Registers calling_by(Registers registers, Address code, Address function,
                                   std::span<const std::uint64_t> arguments, Address mailbox, Address frame,
                                   Address stack);

}  // namespace sockdoc::inject::arch
