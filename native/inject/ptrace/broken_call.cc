#include "inject/ptrace/broken_call.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/fd.h"
#include "base/procfs.h"

namespace sockdoc::inject {
namespace {

constexpr std::size_t kMostParts = 1024;  // IOV_MAX

/** Calls that come back with EINTR when their thread is stopped (ptrace(2), BUGS), beside those of sockets. */
bool interrupted_by_stops(long number) {
  switch (number) {
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_rt_sigtimedwait:
    case SYS_io_getevents:
    case SYS_io_pgetevents:
      return true;
    default:
      return may_wait_in_hook(number);
  }
}

/** Which signals are there for the thread, and neither blocked nor without effect. */
bool signal_waits(pid_t pid, pid_t tid) {
  char buffer[8192];
  const auto status = read_small(AT_FDCWD, (thread_folder(pid, tid) + "/status").c_str(), buffer);
  if (!status) return false;
  const auto set = [&](std::string_view name) {
    return parse_number<std::uint64_t>(line_of(*status, name), 16).value_or(0);
  };
  constexpr auto bit = [](int signal) { return std::uint64_t{1} << (signal - 1); };
  constexpr std::uint64_t kWithoutEffect = bit(SIGCHLD) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGCONT);
  const std::uint64_t pending = (set("SigPnd:") | set("ShdPnd:")) & ~set("SigBlk:") & ~set("SigIgn:");
  return (pending & (set("SigCgt:") | ~kWithoutEffect)) != 0;
}

bool is_blocking(pid_t pid, int fd) {
  char buffer[512];
  const auto info = read_small(AT_FDCWD, (process_folder(pid) + "/fdinfo/" + std::to_string(fd)).c_str(), buffer);
  if (!info) return false;
  const auto flags = parse_number<unsigned>(line_of(*info, "flags:"), 8);
  return flags && (*flags & O_NONBLOCK) == 0;
}

/** Others end MSG_WAITALL with their message, however short. What nobody can tell of (before Linux 5.6) counts as one.
 */
bool is_stream(pid_t pid, int fd) {
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const Fd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
  int type = SOCK_STREAM;
  socklen_t size = sizeof type;
  if (socket.valid()) (void)::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size);
  return type == SOCK_STREAM;
}

std::uint64_t bytes_of(const Memory& memory, std::uint64_t parts, std::uint64_t count) {
  iovec part[kMostParts];
  count = std::min<std::uint64_t>(count, kMostParts);
  if (memory.read(Address{parts}, part, count * sizeof(iovec)) != count * sizeof(iovec)) return 0;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; i++) sum += part[i].iov_len;
  return sum;
}

struct Wanted {
  std::uint64_t count = 0;  // of bytes, or of messages
  bool all = false;         // less comes back only from a call that was broken off
};

/** What is left of recvmmsg()'s timeout, which the kernel has written back: nothing when it has passed. */
bool time_is_left(const Memory& memory, std::uint64_t timeout) {
  if (timeout == 0) return true;
  const auto left = memory.value<timespec>(Address{timeout});
  return left && (left->tv_sec > 0 || (left->tv_sec == 0 && left->tv_nsec > 0));
}

/** How much a call was to move. */
Wanted wanted(const Memory& memory, const arch::Registers& call) {
  const auto flagged = [](std::uint64_t flags, int wants) {
    return (flags & static_cast<unsigned>(wants)) != 0 && (flags & MSG_DONTWAIT) == 0;
  };
  const auto message = [&](std::uint64_t at) {
    const auto header = memory.value<msghdr>(Address{at});
    return header ? bytes_of(memory, reinterpret_cast<std::uint64_t>(header->msg_iov), header->msg_iovlen) : 0;
  };
  switch (static_cast<long>(call.orig_rax)) {
    case SYS_write:
      return {call.rdx, true};
    case SYS_sendto:
      return {call.rdx, (call.r10 & MSG_DONTWAIT) == 0};
    case SYS_sendfile:
      return {call.r10, true};
    case SYS_writev:
      return {bytes_of(memory, call.rsi, call.rdx), true};
    case SYS_sendmsg:
      return {message(call.rsi), (call.rdx & MSG_DONTWAIT) == 0};
    case SYS_recvfrom:
      return {call.rdx, flagged(call.r10, MSG_WAITALL) && (call.r10 & MSG_PEEK) == 0};
    case SYS_recvmsg:
      return {message(call.rsi), flagged(call.rdx, MSG_WAITALL) && (call.rdx & MSG_PEEK) == 0};
    case SYS_sendmmsg:
      return {call.rdx, (call.r10 & MSG_DONTWAIT) == 0};
    case SYS_recvmmsg:
      return {call.rdx, (call.r10 & (MSG_DONTWAIT | MSG_WAITFORONE)) == 0 && time_is_left(memory, call.r8)};
    default:
      return {};
  }
}

}  // namespace

bool may_wait_in_hook(long number) {
  switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_preadv2:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev2:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_sendfile:
    case SYS_splice:
    case SYS_accept:
    case SYS_accept4:
    case SYS_connect:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
      return true;
    default:
      return false;
  }
}

bool moves_parts(const SystemCall& call) {
  switch (call.number) {
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev2:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_sendfile:
      return true;
    case SYS_recvmmsg:
      return (call.arguments[3] & MSG_WAITFORONE) == 0;
    case SYS_recvfrom:
      return (call.arguments[3] & MSG_WAITALL) != 0;
    case SYS_recvmsg:
      return (call.arguments[2] & MSG_WAITALL) != 0;
    default:
      return false;
  }
}

bool can_be_mended(const Memory& memory, const SystemCall& call) {
  arch::Registers registers{};
  registers.orig_rax = static_cast<unsigned long long>(call.number);
  registers.rsi = call.arguments[1];
  registers.rdx = call.arguments[2];
  registers.r10 = call.arguments[3];
  registers.r8 = call.arguments[4];
  (void)wanted(memory, registers);
  return !memory.access().stalled();
}

Activity look_at_call(const Memory& memory, pid_t tid, SystemCall& into) {
  const Activity activity = read_system_call(memory.pid(), tid, into);
  if (activity == Activity::sleeping && into.number == SYS_restart_syscall) {
    into.number = arch::restarted_number(memory, Address{into.at}).value_or(into.number);
  }
  return activity;
}

BrokenCall broken_call(const Memory& memory, const Tracee& tracee, arch::Registers& registers) {
  BrokenCall call;
  if (!arch::behind_system_call(memory, registers)) return call;
  if (registers.orig_rax == SYS_restart_syscall) {
    const auto number = arch::restarted_number(memory, Address{registers.rip});
    if (number) registers.orig_rax = static_cast<unsigned long long>(*number);
  }
  call.number = static_cast<long>(registers.orig_rax);
  call.hooked = may_wait_in_hook(call.number);
  const auto result = static_cast<long>(registers.rax);
  if (arch::kernel_restarts(result)) {
    call.way = BrokenCall::Way::restarts;
  } else if (result == -EINTR && interrupted_by_stops(call.number)) {
    call.way = BrokenCall::Way::interrupted;
  } else if (result > 0 && call.hooked) {
    const Wanted of = wanted(memory, registers);
    const int fd = static_cast<int>(registers.rdi);
    const bool of_stream = call.number == SYS_recvfrom || call.number == SYS_recvmsg;
    if (of.all && static_cast<std::uint64_t>(result) < of.count && is_blocking(memory.pid(), fd) &&
        (!of_stream || is_stream(memory.pid(), fd))) {
      call.way = BrokenCall::Way::partly;
      call.done = static_cast<std::uint32_t>(result);
    }
  }
  if (call.broken()) call.signal = tracee.signal() != 0 || signal_waits(memory.pid(), tracee.tid());
  return call;
}

std::uint32_t waited_ms(const std::optional<Sleep>& before, const std::optional<Sleep>& now) {
  constexpr std::int64_t kMillisecond = 1'000'000;
  // It sleeps once more by now: in our stop. More often: the call that we saw it in may have ended.
  if (!before || !now || now->count > before->count + 1) return 0;
  const std::int64_t watched = (now->looked_at_ns - before->looked_at_ns) / kMillisecond;
  const bool comparable = before->since_ms > 0 && before->cpu == now->cpu;
  const std::int64_t slept = comparable ? static_cast<std::int64_t>(now->since_ms - before->since_ms) : 0;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(std::max(watched, slept), 0, 0x7fffffff));
}

namespace {

/** The other calls keep what is left in memory, where the kernel has written it, or in the socket. */
arch::Registers shortened(const BrokenCall& call, arch::Registers registers, std::uint32_t waited_ms) {
  const auto shorten = [&](unsigned long long& timeout) {
    const auto ms = static_cast<int>(timeout);
    if (ms > 0) timeout = static_cast<unsigned>(std::max<std::int64_t>(0, std::int64_t{ms} - waited_ms));
  };
  if (call.number == SYS_poll) shorten(registers.rdx);
  if (call.number == SYS_epoll_wait || call.number == SYS_epoll_pwait) shorten(registers.r10);
  return registers;
}

}  // namespace

std::optional<arch::Registers> mended(const BrokenCall& call, const arch::Registers& registers,
                                      std::uint32_t waited_ms) {
  // The kernel would make poll() again by restart_syscall(2), of which the next stop could not be sure.
  const bool ours =
      call.way == BrokenCall::Way::interrupted || (call.way == BrokenCall::Way::restarts && call.number == SYS_poll);
  if (!ours) return std::nullopt;
  return arch::by_kernel(shortened(call, registers, waited_ms));
}

arch::Registers mended_after_others(const BrokenCall& call, const arch::Registers& registers, std::uint32_t waited_ms) {
  if (call.way == BrokenCall::Way::restarts) return arch::by_kernel(shortened(call, registers, waited_ms));
  return mended(call, registers, waited_ms).value_or(registers);
}

std::optional<Address> left_of_sleep(const BrokenCall& call, const arch::Registers& registers) {
  const SystemCall made = arch::call_in(registers);
  const auto& argument = made.arguments;
  if (call.way != BrokenCall::Way::restarts) return std::nullopt;
  if (call.number == SYS_nanosleep && argument[0] == argument[1]) return Address{argument[0]};
  const bool relative = call.number == SYS_clock_nanosleep && (argument[1] & TIMER_ABSTIME) == 0;
  if (relative && argument[2] == argument[3]) return Address{argument[2]};
  return std::nullopt;
}

arch::Registers standing_alone(const BrokenCall& call, const arch::Registers& registers, std::uint32_t waited_ms) {
  if (call.way == BrokenCall::Way::interrupted || call.way == BrokenCall::Way::restarts) {
    return arch::again(shortened(call, registers, waited_ms));
  }
  arch::Registers same = registers;
  same.orig_rax = ~0ULL;
  return same;
}

}  // namespace sockdoc::inject
