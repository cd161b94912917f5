#include "preload/syscalls.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "preload/exec/environment.h"
#include "preload/readiness/by_syscall.h"
#include "preload/tracking.h"

// NOLINTBEGIN: the names and types are libc's
using namespace sockdoc::preload;

extern "C" {

/**
 * syscall() of a call that is hooked. All others never come here (see below): a clone or vfork by syscall() may come
 * back on another stack, or twice on the same one, and must find no frame of ours there. What has to be done for them
 * is done before.
 */
long sockdoc_tracked_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const auto call = SOCKDOC_CALL(syscall, number, a, b, c, d, e, f);
  const auto fd = static_cast<int>(a);
  switch (number) {
    case SYS_read:
      return receiving(fd, Parts::of(reinterpret_cast<void*>(b), static_cast<std::size_t>(c)), 0, kNotCancellable,
                       nullptr, call);
    case SYS_readv:
      return receiving(fd, Parts::of(reinterpret_cast<iovec*>(b), c), 0, kNotCancellable, nullptr, call);
    case SYS_preadv2:
      if (static_cast<off_t>(d) != -1) return call();
      return receiving(fd, Parts::of(reinterpret_cast<iovec*>(b), c), flags_of_read(static_cast<int>(f)),
                       kNotCancellable, nullptr, call);
    case SYS_recvfrom:
      return receiving(fd, Parts::at_most(reinterpret_cast<void*>(b), static_cast<std::size_t>(c)), static_cast<int>(d),
                       kNotCancellable, e == 0 ? nullptr : reinterpret_cast<socklen_t*>(f), call);
    case SYS_recvmsg:
      return receiving_message(fd, reinterpret_cast<msghdr*>(b), static_cast<int>(c), kNotCancellable, call);
    case SYS_recvmmsg:
      return receiving_messages(fd, reinterpret_cast<mmsghdr*>(b), static_cast<unsigned>(c), static_cast<int>(d),
                                reinterpret_cast<timespec*>(e), call);
    case SYS_write:
      return sending(fd, Parts::of(reinterpret_cast<void*>(b), static_cast<std::size_t>(c)), 0, kNotCancellable, call);
    case SYS_writev:
      return sending(fd, Parts::of(reinterpret_cast<iovec*>(b), c), 0, kNotCancellable, call);
    case SYS_pwritev2:
      if (static_cast<off_t>(d) != -1) return call();
      return sending(fd, Parts::of(reinterpret_cast<iovec*>(b), c), flags_of_read(static_cast<int>(f)), kNotCancellable,
                     call);
    case SYS_sendfile:
      return sending_natively(fd, call);
    case SYS_sendto:
      return sending(fd, Parts::at_most(reinterpret_cast<void*>(b), static_cast<std::size_t>(c)), static_cast<int>(d),
                     kNotCancellable, call);
    case SYS_sendmsg:
      return sending_message(fd, reinterpret_cast<msghdr*>(b), static_cast<int>(c), kNotCancellable, call);
    case SYS_sendmmsg:
      return sending_messages(fd, reinterpret_cast<mmsghdr*>(b), static_cast<unsigned>(c), static_cast<int>(d), call);
    case SYS_splice:
      return splicing(fd, static_cast<int>(c), static_cast<std::size_t>(e), static_cast<unsigned>(f), call);
    case SYS_shutdown:
      return shutting_down(fd, static_cast<int>(b), call);
    case SYS_setsockopt:
      return setting_option(fd, static_cast<int>(b), static_cast<int>(c), reinterpret_cast<void*>(d),
                            static_cast<socklen_t>(e), call);
    case SYS_getsockopt:
      return telling_option(fd, static_cast<int>(b), static_cast<int>(c), reinterpret_cast<void*>(d),
                            reinterpret_cast<socklen_t*>(e), call);
    case SYS_socket:
      return opening(fd, static_cast<int>(b), static_cast<int>(c), call);
    case SYS_accept:
      return accepting(fd, 0, call);
    case SYS_accept4:
      return accepting(fd, static_cast<int>(d), call);
    case SYS_connect:
      return connecting(fd, reinterpret_cast<sockaddr*>(b), static_cast<socklen_t>(c), call);
    case SYS_close:
      return closing(fd, call);
    case SYS_close_range:
      return closing_range(
          static_cast<unsigned>(a), static_cast<unsigned>(b), static_cast<unsigned>(c),
          [&](unsigned from, unsigned to) { return sockdoc_original_syscall(number, from, to, c, d, e, f); });
    case SYS_dup:
      return duplicating(fd, call);
    case SYS_dup2:
    case SYS_dup3:
      return replacing(fd, static_cast<int>(b), call);
    case SYS_fcntl:
      return controlling(fd, static_cast<int>(b), c, call);
    case SYS_execve: {
      const auto* path = reinterpret_cast<const char*>(a);
      return executing({AT_FDCWD, path, 0, reinterpret_cast<char* const*>(b), reinterpret_cast<char* const*>(c),
                        fit_of_target(AT_FDCWD, path, 0)},
                       [&](char* const* changed) {
                         return sockdoc_original_syscall(number, a, b, reinterpret_cast<long>(changed), d, e, f);
                       });
    }
    case SYS_execveat: {
      const auto* path = reinterpret_cast<const char*>(b);
      const auto flags = static_cast<int>(e);
      return executing({fd, path, flags, reinterpret_cast<char* const*>(c), reinterpret_cast<char* const*>(d),
                        fit_of_target(fd, path, flags)},
                       [&](char* const* changed) {
                         return sockdoc_original_syscall(number, a, b, c, reinterpret_cast<long>(changed), e, f);
                       });
    }
    case SYS_ioctl:
      return requesting(fd, static_cast<unsigned long>(b), reinterpret_cast<void*>(c), call);
    case SYS_prctl:
      return limiting(fd == PR_SET_SECCOMP && (b == SECCOMP_MODE_STRICT || c != 0), call);
    case SYS_seccomp:
      return limiting(fd == SECCOMP_SET_MODE_STRICT || (fd == SECCOMP_SET_MODE_FILTER && c != 0), call);
    default:
      return waiting_by_syscall(number, a, b, c, d, e, f);
  }
}
}

namespace {
constexpr int kClone3 = 435;  // since Linux 5.3

struct Numbers {
  unsigned char tracked[512] = {};
};
constexpr Numbers numbers() {
  Numbers result;
  for (const int number :
       {SYS_read,      SYS_readv,       SYS_preadv2,     SYS_recvfrom,     SYS_recvmsg,        SYS_recvmmsg,
        SYS_write,     SYS_writev,      SYS_pwritev2,    SYS_sendfile,     SYS_sendto,         SYS_sendmsg,
        SYS_sendmmsg,  SYS_splice,      SYS_socket,      SYS_accept,       SYS_accept4,        SYS_connect,
        SYS_close,     SYS_close_range, SYS_dup,         SYS_dup2,         SYS_dup3,           SYS_fcntl,
        SYS_ioctl,     SYS_shutdown,    SYS_setsockopt,  SYS_getsockopt,   SYS_execve,         SYS_execveat,
        SYS_poll,      SYS_ppoll,       SYS_select,      SYS_pselect6,     SYS_epoll_create,   SYS_epoll_create1,
        SYS_epoll_ctl, SYS_epoll_wait,  SYS_epoll_pwait, SYS_epoll_pwait2, SYS_io_uring_setup, SYS_prctl,
        SYS_seccomp}) {
    result.tracked[number] = 1;
  }
  for (const int number : {SYS_fork, SYS_clone, kClone3}) result.tracked[number] = 2;
  return result;
}
}  // namespace

extern "C" {
[[gnu::visibility("hidden"), gnu::used]] extern constexpr Numbers sockdoc_tracked_numbers = numbers();

/** Before syscall() of fork, clone or clone3. */
[[gnu::visibility("hidden"), gnu::used]] void sockdoc_before_new_process(long number, const std::uint64_t* argument) {
  std::uint64_t flags = reinterpret_cast<std::uintptr_t>(argument);
  if (number == SYS_fork) flags = 0;
  if (number == kClone3) {
    if (!readable(argument, sizeof flags)) return;
    flags = *argument;
  }
  before_clone(flags);
}

/** Before clone(). */
[[gnu::visibility("hidden"), gnu::used]] void sockdoc_before_clone(int, void*, int flags) {
  before_clone(static_cast<std::uint64_t>(flags));
}
}

// Jumps, so that the stack stays as the program left it.
asm(R"(
.pushsection .text
.macro sockdoc_call_first function
  push %rdi
  push %rsi
  push %rdx
  push %rcx
  push %r8
  push %r9
  push %rax
  call \function
  pop %rax
  pop %r9
  pop %r8
  pop %rcx
  pop %rdx
  pop %rsi
  pop %rdi
.endm

.globl sockdoc_hook_syscall
.hidden sockdoc_hook_syscall
.type sockdoc_hook_syscall, @function
sockdoc_hook_syscall:
  cmp $512, %rdi
  jae 1f
  lea sockdoc_tracked_numbers(%rip), %r11
  cmpb $1, (%r11,%rdi)
  jb 1f
  je sockdoc_tracked_syscall
  sockdoc_call_first sockdoc_before_new_process
1:
  jmp *sockdoc_original_syscall(%rip)

.globl sockdoc_hook_clone
.hidden sockdoc_hook_clone
.type sockdoc_hook_clone, @function
sockdoc_hook_clone:
  sockdoc_call_first sockdoc_before_clone
  jmp *sockdoc_original_clone(%rip)
.popsection
)");
// NOLINTEND
