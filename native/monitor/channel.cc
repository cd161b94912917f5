#include "monitor/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace sockdoc::monitor {
namespace {

constexpr std::size_t kMaxKeptBytes = 32u << 20;  // a long status; otherwise a client that never reads
constexpr std::size_t kMaxKept = 4096;
constexpr std::size_t kMaxDescriptors = 253;  // SCM_MAX_FD

/**
 * Closing somebody else's descriptor can take as long as its owner wants (a lingering socket, a file system in user
 * space), so it is not done where others wait.
 */
void close_elsewhere(std::vector<int> fds) {
  std::thread([fds = std::move(fds)] {
    for (const int fd : fds) ::close(fd);
  }).detach();
}

}  // namespace

Channel::State Channel::read() {
  if (whole()) return State::message;
  if (bad_) return State::closed;
  iovec into{in_.data() + filled_, in_.size() - filled_};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  msghdr header{};
  header.msg_iov = &into;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? State::idle : State::closed;
  std::optional<ucred> credentials;
  std::vector<int> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      std::memcpy(&credentials.emplace(), CMSG_DATA(part), sizeof(ucred));
    } else if (part->cmsg_type == SCM_RIGHTS) {
      const auto* first = reinterpret_cast<const int*>(CMSG_DATA(part));
      fds.insert(fds.end(), first, first + (part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    }
  }
  if (!fds.empty()) {
    close_elsewhere(std::move(fds));
    return State::closed;
  }
  if (got == 0 || !credentials) return State::closed;
  const Sender now{credentials->pid, credentials->uid};
  // The kernel never joins bytes of different senders, but half a message may wait here for the rest.
  if (filled_ > 0 && (now.pid != sender_.pid || now.uid != sender_.uid)) return State::closed;
  sender_ = now;
  filled_ += static_cast<std::size_t>(got);
  if (whole()) return State::message;
  return bad_ ? State::closed : State::idle;
}

bool Channel::whole() {
  if (filled_ < sizeof(abi::Header)) return false;
  abi::Header header;
  std::memcpy(&header, in_.data(), sizeof header);
  bad_ = header.length < sizeof header || header.length > in_.size();
  length_ = header.length;
  return !bad_ && filled_ >= length_;
}

void Channel::drop() {
  std::copy(in_.begin() + static_cast<std::ptrdiff_t>(length_), in_.begin() + static_cast<std::ptrdiff_t>(filled_),
            in_.begin());
  filled_ -= length_;
  length_ = 0;
}

ssize_t Channel::send_some(std::span<const std::byte> bytes, int fd) const {
  iovec from{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &from;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno == EAGAIN) return 0;
  // Who is gone hears nothing, but what it said before is still to be read.
  if (sent < 0 && errno == EPIPE) return static_cast<ssize_t>(bytes.size());
  return sent;
}

bool Channel::send(const void* bytes, std::size_t length, int fd) {
  const std::span all(static_cast<const std::byte*>(bytes), length);
  std::size_t done = 0;
  if (out_.empty()) {
    const ssize_t sent = send_some(all, fd);
    if (sent < 0) return false;
    done = static_cast<std::size_t>(sent);
    if (done == length) return true;
  }
  if (out_.size() >= kMaxKept || kept_bytes_ + length > kMaxKeptBytes) return false;
  const bool descriptor = fd >= 0 && done == 0;
  Kept kept{{all.begin(), all.end()}, done, descriptor ? Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)) : Fd()};
  if (descriptor && !kept.fd.valid()) return false;
  kept_bytes_ += length;
  out_.push_back(std::move(kept));
  return true;
}

bool Channel::flush() {
  while (!out_.empty()) {
    Kept& kept = out_.front();
    const ssize_t sent = send_some(std::span(kept.bytes).subspan(kept.sent), kept.fd.get());
    if (sent < 0) return false;
    if (sent == 0) return true;
    kept.fd.reset();
    kept.sent += static_cast<std::size_t>(sent);
    if (kept.sent < kept.bytes.size()) return true;
    kept_bytes_ -= kept.bytes.size();
    out_.pop_front();
  }
  return true;
}

}  // namespace sockdoc::monitor
