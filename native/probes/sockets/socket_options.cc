#include "probes/sockets/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace sockdoc {
namespace {

// Numbers of the kernel's interface that the headers of the build host may lack (asm-generic/socket.h, unistd.h).
constexpr int kSoBufLock = 72;
constexpr int kSendBufferLock = 1;
constexpr int kReceiveBufferLock = 2;
constexpr long kPidfdOpen = 434;
constexpr long kPidfdGetfd = 438;

constexpr std::uint32_t kNeedOptions = 1u << kReceiveWindowLimited | 1u << kSendBufferLimited | 1u << kNotSent |
                                       1u << kSmallUnacked | 1u << kTraffic | 1u << kSilent;

std::optional<int> option(int socket, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  if (::getsockopt(socket, level, name, &value, &length) != 0) return std::nullopt;
  return value;
}

std::optional<bool> flag(int socket, int level, int name) {
  const auto value = option(socket, level, name);
  return value ? std::optional<bool>(*value != 0) : std::nullopt;
}

const char* why(int code) {
  if (code == ENOSYS) return "not in this kernel (pidfd_getfd, Linux 5.6)";
  return nullptr;
}

}  // namespace

SocketOptions options_of(int socket) {
  SocketOptions options;
  if (const auto locks = option(socket, SOL_SOCKET, kSoBufLock)) {
    options.send_buffer_locked = (*locks & kSendBufferLock) != 0;
    options.receive_buffer_locked = (*locks & kReceiveBufferLock) != 0;
  }
  options.no_delay = flag(socket, IPPROTO_TCP, TCP_NODELAY);
  options.zero_copy = flag(socket, SOL_SOCKET, SO_ZEROCOPY);
  options.keep_alive = flag(socket, SOL_SOCKET, SO_KEEPALIVE);
  options.keep_idle_s = option(socket, IPPROTO_TCP, TCP_KEEPIDLE);
  if (const auto bytes = option(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT)) {
    options.not_sent_low_water = static_cast<std::uint32_t>(*bytes);
  }
  options.incoming_cpu = option(socket, SOL_SOCKET, SO_INCOMING_CPU);
  options.busy_poll_us = option(socket, SOL_SOCKET, SO_BUSY_POLL);
  return options;
}

Result<SocketOptions> read_options(int pid, int fd, std::uint32_t inode) {
  const Fd process(static_cast<int>(::syscall(kPidfdOpen, pid, 0)));
  if (!process.valid()) return errno_error("pidfd_open");
  const Fd duplicate(static_cast<int>(::syscall(kPidfdGetfd, process.get(), fd, 0)));
  if (!duplicate.valid()) return errno_error("pidfd_getfd");
  struct stat info {};
  if (::fstat(duplicate.get(), &info) != 0) return errno_error("fstat");
  if (!S_ISSOCK(info.st_mode) || static_cast<std::uint32_t>(info.st_ino) != inode) {
    return Error{ESTALE, "the descriptor was used again"};
  }
  return options_of(duplicate.get());
}

std::unordered_map<std::uint64_t, SocketOptions> read_options_of_rows(const std::vector<NetnsSockets>& namespaces,
                                                                      ProcessTable& processes,
                                                                      const DescriptorTable& descriptors,
                                                                      std::size_t limit, Gaps& gaps) {
  std::unordered_map<std::uint64_t, SocketOptions> found;
  for (const NetnsSockets& netns : namespaces) {
    for (const ConnectionRow& row : netns.connections) {
      const std::uint32_t held = descriptors.find(row.socket.inode);
      if ((row.reasons & kNeedOptions) == 0 || held == DescriptorTable::kNone || found.size() >= limit) continue;
      ProcessEntry& process = processes.at(descriptors.at(held).process);
      const auto options = read_options(process.pid, descriptors.at(held).fd, row.socket.inode);
      if (options) {
        if (options->zero_copy == true) process.zero_copy = true;
        found.emplace(row.socket.cookie, *options);
        continue;
      }
      const int code = options.error().code;
      if (code == ESRCH || code == EBADF || code == ESTALE) continue;  // gone meanwhile
      if (const char* reason = why(code)) {
        gaps.add({"sockets", "socket options", reason, ""});
      } else {
        gaps.add_errno("sockets", "socket options (pidfd_getfd)", code, "CAP_SYS_PTRACE");
      }
    }
  }
  return found;
}

}  // namespace sockdoc
