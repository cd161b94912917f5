#include "probes/sockets/system_calls.h"

#include <sys/syscall.h>

#include <array>
#include <utility>

#include "base/procfs.h"

namespace sockdoc {
namespace {

using Named = std::pair<long, std::string_view>;

// Newer architectures lack the older calls; headers of the build host may lack the newest.
constexpr auto kCalls = std::to_array<Named>({
    {SYS_read, "read"},
    {SYS_readv, "readv"},
    {SYS_write, "write"},
    {SYS_writev, "writev"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_recvmmsg, "recvmmsg"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_sendmmsg, "sendmmsg"},
    {SYS_sendfile, "sendfile"},
    {SYS_splice, "splice"},
    {SYS_connect, "connect"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_pselect6, "pselect6"},
    {SYS_ppoll, "ppoll"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_futex, "futex"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_wait4, "wait4"},
    {SYS_restart_syscall, "restart_syscall"},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
#ifdef SYS_select
    {SYS_select, "select"},
#endif
#ifdef SYS_poll
    {SYS_poll, "poll"},
#endif
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait"},
#endif
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, "epoll_pwait2"},
#endif
#ifdef SYS_io_uring_enter
    {SYS_io_uring_enter, "io_uring_enter"},
#endif
});

}  // namespace

std::optional<BlockedCall> parse_blocked_call(std::string_view text) {
  const std::string_view number_text = take_until(text, ' ');
  const auto number = parse_number<long>(number_text);
  if (!number || *number < 0) return std::nullopt;
  std::string_view arg = take_until(text, ' ');
  if (!arg.starts_with("0x")) return std::nullopt;
  arg.remove_prefix(2);
  const auto value = parse_number<std::uint64_t>(arg, 16);
  if (!value) return std::nullopt;
  return BlockedCall{*number, static_cast<std::int64_t>(*value)};
}

std::string_view system_call_name(long number) {
  for (const auto& [known, name] : kCalls) {
    if (known == number) return name;
  }
  return {};
}

bool is_select(long number) {
#ifdef SYS_select
  if (number == SYS_select) return true;
#endif
  return number == SYS_pselect6;
}

}  // namespace sockdoc
