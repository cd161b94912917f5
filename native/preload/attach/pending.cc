#include "preload/attach/pending.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <span>

#include "preload/attach/pending_call.h"

namespace sockdoc::preload {
namespace {

/** poll() waits for more than a call that takes what there is. */
bool polls_for_more(int fd) { return option<int>(fd, SO_RCVLOWAT) > 1; }

/**
 * The rest of a call that waits for all bytes (MSG_WAITALL). Where the stream ends before that, or breaks off, or a
 * signal comes, or the time is up, what came is the result, and an error is left for the next call: so no call is made
 * that could get nothing else.
 */
long with_all(const Call& call, std::size_t done, std::uint32_t waited_ms) {
  const int fd = static_cast<int>(call.argument[0]);
  const Limit until = limit_of(fd, SO_RCVTIMEO, waited_ms);
  const int flags = flags_of(call);
  iovec one;
  const std::span<const iovec> parts = parts_of(call, one);
  for (bool polls = !polls_for_more(fd);;) {
    iovec room[kParts];
    const std::span<iovec> left = parts_behind(parts, done, room);
    if (left.empty()) return static_cast<long>(done);
    msghdr header = {};
    header.msg_iov = left.data();
    header.msg_iovlen = left.size();
    const long ready = polls ? await(fd, POLLIN, until) : POLLIN;
    if (ready <= 0) return static_cast<long>(done);
    // Something lies in its queue of errors, where it may stay: nobody can wait for bytes by that.
    if ((ready & (POLLIN | POLLHUP | POLLNVAL)) == 0) polls = false;
    int bytes = 0;
    const bool broken = (ready & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP);
    if (broken && (Call{SYS_ioctl, {fd, FIONREAD, reinterpret_cast<long>(&bytes)}}.make() < 0 || bytes <= 0))
      return static_cast<long>(done);
    const int how = polls ? (flags & ~MSG_WAITALL) | MSG_DONTWAIT : flags;
    const long moved = Call{SYS_recvmsg, {fd, reinterpret_cast<long>(&header), how}}.make();
    if (moved == -EAGAIN && polls) continue;  // another thread was faster
    if (moved <= 0) return static_cast<long>(done);
    done += static_cast<std::size_t>(moved);
  }
}

/** Elsewhere a message is all that a call takes. */
bool is_stream(const Call& call) { return option<int>(static_cast<int>(call.argument[0]), SO_TYPE) == SOCK_STREAM; }

/** Whether the message before the rest is to be filled, or sent, in whole: the stop may have broken off just that. */
bool in_whole(const Call& call) {
  if (call.number == SYS_sendmmsg) return true;
  const auto flags = static_cast<int>(call.argument[3]);
  if ((flags & (MSG_WAITALL | MSG_PEEK)) != MSG_WAITALL) return false;
  return is_stream(call);
}

/** The rest of a call with several messages, of which `done` were moved, the last one perhaps in part. */
long with_rest_of_messages(Call call, std::size_t done, std::uint32_t waited_ms) {
  const int fd = static_cast<int>(call.argument[0]);
  const bool sends = call.number == SYS_sendmmsg;
  auto* const messages = reinterpret_cast<mmsghdr*>(call.argument[1]);
  mmsghdr& last = messages[done - 1];
  // The kernel keeps what ended recvmmsg() behind its first messages as the socket's error, for the next call: also
  // -ERESTARTSYS and its kin, which are for itself alone.
  if (!sends) forget_error(fd);
  const std::size_t wanted = bytes_of({last.msg_hdr.msg_iov, last.msg_hdr.msg_iovlen});
  if (last.msg_len < wanted && in_whole(call)) {
    Call one = {sends ? SYS_sendmsg : SYS_recvmsg, {}};
    one.argument[0] = call.argument[0];
    one.argument[1] = reinterpret_cast<long>(&last.msg_hdr);
    one.argument[2] = call.argument[3];
    last.msg_len =
        static_cast<unsigned>(sends ? with_all_sent(one, last.msg_len, waited_ms) : with_all(one, last.msg_len, 0));
    if (last.msg_len < wanted) return static_cast<long>(done);
    waited_ms = 0;
  }
  call.argument[1] = reinterpret_cast<long>(messages + done);
  call.argument[2] -= static_cast<long>(done);
  if (call.argument[2] <= 0) return static_cast<long>(done);
  // Behind some messages any handler ends it, and what ends the next one is not told.
  if (sends && await_room(fd, limit_of(fd, SO_SNDTIMEO, waited_ms)) <= 0) return static_cast<long>(done);
  const long moved = call.make();
  return static_cast<long>(done) + std::max(0L, moved);
}

long with_rest(const Call& call, std::size_t done, std::uint32_t waited_ms) {
  if (call.number == SYS_sendmmsg || call.number == SYS_recvmmsg) return with_rest_of_messages(call, done, waited_ms);
  if (call.number == SYS_sendfile) return with_rest_of_file(call, done, waited_ms);
  const bool receives = call.number == SYS_recvfrom || call.number == SYS_recvmsg;
  if (!receives) return with_all_sent(call, done, waited_ms);
  return is_stream(call) ? with_all(call, done, waited_ms) : static_cast<long>(done);
}

bool takes_bytes(long number) {
  return number == SYS_read || number == SYS_readv || number == SYS_recvfrom || number == SYS_recvmsg ||
         number == SYS_accept || number == SYS_accept4;
}

/** Waits for what is left of the socket's own timeout. The result of the call when that is all it will give, or 0. */
long await_receiving(int fd, std::uint32_t waited_ms) {
  const Limit until = limit_of(fd, SO_RCVTIMEO, waited_ms);
  if (!until || polls_for_more(fd)) return 0;
  const long ready = await(fd, POLLIN, until);
  if (ready == 0) return -EAGAIN;
  return ready < 0 ? ready : 0;
}

long with_rest_of_timeout(Call call, std::uint32_t waited_ms) {
  const auto shorten = [&](long& argument) {
    const int ms = static_cast<int>(argument);
    if (ms > 0) argument = std::max<std::int64_t>(0, std::int64_t{ms} - waited_ms);
  };
  if (call.number == SYS_poll) shorten(call.argument[2]);
  if (call.number == SYS_epoll_wait || call.number == SYS_epoll_pwait) shorten(call.argument[3]);
  timespec left = {};
  if (call.number == SYS_epoll_pwait2 && call.argument[3] != 0) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    left = *reinterpret_cast<const timespec*>(call.argument[3]);
    const std::int64_t ms = std::min<std::int64_t>(waited_ms, left.tv_sec * 1000 + left.tv_nsec / 1'000'000);
    left.tv_sec -= ms / 1000;
    left.tv_nsec -= ms % 1000 * 1'000'000;
    if (left.tv_nsec < 0) left.tv_nsec += kSecond, left.tv_sec--;
    call.argument[3] = reinterpret_cast<long>(&left);
  }
  if (waited_ms > 0 && takes_bytes(call.number)) {
    const long ended = await_receiving(static_cast<int>(call.argument[0]), waited_ms);
    if (ended != 0) return ended;
  }
  return call.make();
}

}  // namespace

extern "C" [[gnu::visibility("hidden"), gnu::used]] long sockdoc_make_pending_call(long number, const long* arguments,
                                                                                   std::uint64_t progress) {
  const int before = errno;
  Call call = {number, {}};
  std::copy_n(arguments, 6, call.argument);
  const Progress so_far = Progress::of(progress);
  const long result =
      so_far.done > 0 ? with_rest(call, so_far.done, so_far.waited_ms) : with_rest_of_timeout(call, so_far.waited_ms);
  errno = before;
  return result;
}

}  // namespace sockdoc::preload

// As if the kernel had made the call: all registers as they were but rax, rcx and r11, and nothing of the stack is
// touched that the interrupted function may use.
//
// A thread comes here by the kernel's own way to make a call again: it is set to 2 bytes behind a beginning, as behind
// a `syscall`, with a result that means "again" (-ERESTARTSYS and its kin). Without a signal, and behind a handler that
// lets calls be made again, the kernel goes back those 2 bytes, and the call is made here; behind another handler it
// goes on where it is, with -EINTR, and so does the program; where bytes had been moved, with their number.
//
// The frame can be unwound, since a cancelled thread ends here: its stack pointer was what it was before the red zone,
// its next instruction the one in rcx. XSAVE of all that a program can use without asking the kernel for it.
asm(R"(
.pushsection .text
.globl sockdoc_libsd_pending
.type sockdoc_libsd_pending, @function
sockdoc_libsd_pending:
  .cfi_startproc
  .cfi_signal_frame
  .cfi_def_cfa %rsp, 0
  .cfi_register %rip, %rcx
  jmp 1f
  jmp *%rcx
.globl sockdoc_libsd_pending_rest
.type sockdoc_libsd_pending_rest, @function
sockdoc_libsd_pending_rest:
  jmp 1f
  mov %r11d, %eax
  jmp *%rcx
1:
  lea -128(%rsp), %rsp
  .cfi_adjust_cfa_offset 128
  push %rcx
  .cfi_adjust_cfa_offset 8
  .cfi_offset %rip, -136
  push %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_offset %rbp, -144
  mov %rsp, %rbp
  .cfi_def_cfa_register %rbp
  pushfq
  push %r9
  push %r8
  push %r10
  push %rdx
  push %rsi
  push %rdi
  mov %rax, %rdi
  mov %rsp, %rsi
  mov %r11, %r8
  sub $2816, %rsp
  and $-64, %rsp
  xor %eax, %eax
  mov %rax, 512(%rsp)
  mov %rax, 520(%rsp)
  mov %rax, 528(%rsp)
  mov %rax, 536(%rsp)
  mov %rax, 544(%rsp)
  mov %rax, 552(%rsp)
  mov %rax, 560(%rsp)
  mov %rax, 568(%rsp)
  mov $0xe7, %eax
  xor %edx, %edx
  xsave64 (%rsp)
  mov %r8, %rdx
  cld
  call sockdoc_make_pending_call
  mov %rax, %rcx
  mov $0xe7, %eax
  xor %edx, %edx
  xrstor64 (%rsp)
  mov %rcx, %rax
  lea -56(%rbp), %rsp
  pop %rdi
  pop %rsi
  pop %rdx
  pop %r10
  pop %r8
  pop %r9
  popfq
  pop %rbp
  .cfi_restore %rbp
  .cfi_def_cfa %rsp, 136
  pop %rcx
  .cfi_adjust_cfa_offset -8
  .cfi_register %rip, %rcx
  lea 128(%rsp), %rsp
  .cfi_adjust_cfa_offset -128
  jmp *%rcx
  .cfi_endproc
.size sockdoc_libsd_pending, . - sockdoc_libsd_pending
.popsection
)");
