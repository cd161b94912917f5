#include <sys/syscall.h>

#include "preload/tracking.h"

// NOLINTBEGIN: the names and types are libc's
using namespace sockdoc::preload;

extern "C" {

/**
 * syscall() of a call that is hooked. All others never come here (see below): a clone or vfork by syscall() may come
 * back on another stack, or twice on the same one, and must find no frame of ours there.
 */
long sockdoc_tracked_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const auto call = SOCKDOC_CALL(syscall, number, a, b, c, d, e, f);
  const auto fd = static_cast<int>(a);
  switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_preadv2:
      return receiving(fd, 0, call);
    case SYS_recvfrom:
      return receiving(fd, static_cast<int>(d), call);
    case SYS_recvmsg:
      return receiving_message(fd, reinterpret_cast<msghdr*>(b), static_cast<int>(c), call);
    case SYS_recvmmsg:
      return receiving_messages(fd, reinterpret_cast<mmsghdr*>(b), static_cast<int>(d), call);
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev2:
    case SYS_sendfile:
      return sending(fd, 0, call);
    case SYS_sendto:
      return sending(fd, static_cast<int>(d), call);
    case SYS_sendmsg:
      return sending(fd, static_cast<int>(c), call);
    case SYS_sendmmsg:
      return sending_messages(fd, reinterpret_cast<mmsghdr*>(b), static_cast<int>(d), call);
    case SYS_splice:
      return splicing(fd, static_cast<int>(c), call);
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
    case SYS_ioctl:
      return requesting(fd, static_cast<unsigned long>(b), reinterpret_cast<void*>(c), call);
    default:
      return call();
  }
}
}

namespace {
struct Numbers {
  unsigned char tracked[512] = {};
};
constexpr Numbers numbers() {
  Numbers result;
  for (const int number :
       {SYS_read,   SYS_readv,    SYS_preadv2,  SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg,    SYS_write,
        SYS_writev, SYS_pwritev2, SYS_sendfile, SYS_sendto,   SYS_sendmsg, SYS_sendmmsg,    SYS_splice,
        SYS_socket, SYS_accept,   SYS_accept4,  SYS_connect,  SYS_close,   SYS_close_range, SYS_dup,
        SYS_dup2,   SYS_dup3,     SYS_fcntl,    SYS_ioctl}) {
    result.tracked[number] = 1;
  }
  return result;
}
}  // namespace

extern "C" {
[[gnu::visibility("hidden"), gnu::used]] extern constexpr Numbers sockdoc_tracked_numbers = numbers();
}

// Jumps, so that the stack stays as the program left it.
asm(R"(
.pushsection .text
.globl sockdoc_hook_syscall
.hidden sockdoc_hook_syscall
.type sockdoc_hook_syscall, @function
sockdoc_hook_syscall:
  cmp $512, %rdi
  jae 1f
  lea sockdoc_tracked_numbers(%rip), %r11
  cmpb $0, (%r11,%rdi)
  jne sockdoc_tracked_syscall
1:
  jmp *sockdoc_original_syscall(%rip)
.popsection
)");
// NOLINTEND
