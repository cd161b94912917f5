#include "probes/cpu/socket_path.h"

#include <linux/perf_event.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sockdoc {
namespace {

// System calls, by the name behind the prefix of their architecture, and functions behind them that the compiler leaves
// out of line. First what moves bytes or waits for them, or says what is waited for.
constexpr std::array<std::string_view, 11> kCalls{"sendto",     "send",        "recvfrom", "recv",
                                                  "sendmsg",    "sendmmsg",    "recvmsg",  "recvmmsg",
                                                  "epoll_wait", "epoll_pwait", "epoll_ctl"};
constexpr std::array<std::string_view, 29> kFunctions{
    "__sys_sendto",     "__sys_recvfrom", "__sys_sendmsg",   "___sys_sendmsg", "____sys_sendmsg",  "__sys_sendmmsg",
    "__sys_recvmsg",    "___sys_recvmsg", "____sys_recvmsg", "__sys_recvmmsg", "do_recvmmsg",      "sock_read_iter",
    "sock_write_iter",  "sock_sendmsg",   "sock_recvmsg",    "__sock_sendmsg", "sock_splice_read", "sock_splice_eof",
    "splice_to_socket", "sock_poll",      "sock_ioctl",      "do_epoll_wait",  "do_epoll_pwait",   "ep_send_events",
    "do_epoll_ctl",     "io_send",        "io_recv",         "io_sendmsg",     "io_recvmsg"};

// What makes, changes and ends sockets.
constexpr std::array<std::string_view, 10> kUpkeepCalls{"socket", "socketpair", "bind",     "listen",     "connect",
                                                        "accept", "accept4",    "shutdown", "setsockopt", "getsockopt"};
constexpr std::array<std::string_view, 17> kUpkeepFunctions{
    "__sys_socket",        "__sys_socketpair", "__sys_bind",         "__sys_listen",       "__sys_connect",
    "__sys_connect_file",  "__sys_accept4",    "__sys_accept4_file", "do_accept",          "__sys_shutdown",
    "__sys_shutdown_sock", "__sys_setsockopt", "__sys_getsockopt",   "do_sock_setsockopt", "do_sock_getsockopt",
    "sock_close",          "__sock_release"};

constexpr std::array<std::string_view, 5> kCallPrefixes{"__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__se_sys_",
                                                        "__do_sys_"};

constexpr std::array<std::string_view, 14> kInterrupts{
    // x86
    "irq_exit_rcu", "__irq_exit_rcu", "irq_exit", "common_interrupt", "asm_common_interrupt", "asm_exc_nmi",
    // arm64
    "el1_interrupt", "el1h_64_irq", "el1h_64_irq_handler", "el0_interrupt", "el0t_64_irq", "el0t_64_irq_handler",
    "__el1_irq", "gic_handle_irq"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <std::size_t Calls, std::size_t Functions>
bool is_one_of(const std::array<std::string_view, Calls>& calls,
               const std::array<std::string_view, Functions>& functions, std::string_view name) {
  for (const std::string_view prefix : kCallPrefixes) {
    if (name.starts_with(prefix)) return is_one_of(calls, name.substr(prefix.size()));
  }
  return is_one_of(functions, name);
}

bool moves_bytes(std::string_view name) { return is_one_of(kCalls, kFunctions, name); }

bool is_upkeep(std::string_view name) { return is_one_of(kUpkeepCalls, kUpkeepFunctions, name); }

bool is_interrupt(std::string_view name) {
  return name.starts_with("sysvec_") || name.starts_with("asm_sysvec_") || is_one_of(kInterrupts, name);
}

bool contains(const std::vector<Symbols::Range>& ranges, std::uint64_t address) {
  const auto next = std::upper_bound(ranges.begin(), ranges.end(), address,
                                     [](std::uint64_t at, const Symbols::Range& range) { return at < range.start; });
  return next != ranges.begin() && address < std::prev(next)->end;
}

}  // namespace

SocketPath::SocketPath(const Symbols& symbols)
    : sockets_(symbols.ranges(moves_bytes)),
      upkeep_(symbols.ranges(is_upkeep)),
      interrupts_(symbols.ranges(is_interrupt)) {}

Doing SocketPath::of(std::span<const std::uint64_t> chain) const {
  Doing doing = Doing::user;
  bool innermost = true;
  for (const std::uint64_t entry : chain) {
    if (entry >= static_cast<std::uint64_t>(PERF_CONTEXT_MAX)) continue;
    // A return address may be that of the function behind, where the call came last.
    const std::uint64_t address = innermost ? entry : entry - 1;
    innermost = false;
    if (contains(interrupts_, address)) return Doing::interrupt;
    if (doing == Doing::upkeep) continue;
    if (contains(upkeep_, address)) {
      doing = Doing::upkeep;
    } else if (doing != Doing::socket) {
      doing = contains(sockets_, address) ? Doing::socket : Doing::kernel;
    }
  }
  return doing;
}

}  // namespace sockdoc
