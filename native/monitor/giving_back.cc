#include "monitor/giving_back.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <system_error>
#include <thread>

#include "abi/unread.h"
#include "base/procfs.h"

namespace sockdoc::monitor {

struct GiversBack::State {
  Fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex lock;
  std::vector<Refused> refused;
  std::map<uid_t, int> at_work;
  std::uint64_t returned = 0;
};

namespace {

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
constexpr int kMostOfUser = 8;

Fd descriptor_of(const Fd& process, int number) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
}

/** The memory of the asker: whatever it does to it, no access of ours to the head can fault, or to the bytes. */
class Memory {
 public:
  explicit Memory(Fd file) : file_(std::move(file)) {
    struct statfs system {};
    struct stat info {};
    // Of other files that can be sealed (huge pages) a page may not be there when it is looked at.
    if (!file_.valid() || ::fcntl(file_.get(), F_GET_SEALS) != kSeals || ::fstatfs(file_.get(), &system) != 0 ||
        system.f_type != TMPFS_MAGIC || ::fstat(file_.get(), &info) != 0 ||
        info.st_size < static_cast<off_t>(abi::kPage)) {
      return;
    }
    room_ = static_cast<std::uint64_t>(info.st_size) - abi::kPage;
    void* mapped = ::mmap(nullptr, abi::kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (mapped != MAP_FAILED) head_ = static_cast<abi::UnreadHead*>(mapped);
  }
  ~Memory() {
    if (head_ != nullptr) ::munmap(head_, abi::kPage);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] bool is_of(std::uint64_t cookie, std::uint64_t bytes) const {
    return head_ != nullptr && bytes <= room_ && bytes <= abi::kMostUnread && head_->magic == abi::kUnreadMagic &&
           head_->cookie == cookie;
  }
  [[nodiscard]] bool begin() {
    abi::Returning asked = abi::Returning::asked;
    return head_->returning.compare_exchange_strong(asked, abi::Returning::begun);
  }
  void end(std::uint64_t returned) {
    head_->returned = returned;
    head_->returning = abi::Returning::ended;
  }
  /** Read, not mapped: a page that is not there is none of ours then. */
  [[nodiscard]] std::size_t read(std::span<std::byte> into, std::uint64_t at) const {
    const ssize_t got = ::pread(file_.get(), into.data(), into.size(), static_cast<off_t>(abi::kPage + at));
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

 private:
  Fd file_;
  abi::UnreadHead* head_ = nullptr;
  std::uint64_t room_ = 0;
};

/** While it lives the socket's send buffer has room for so much more, where that may be. */
class LargerBuffer {
 public:
  LargerBuffer(int socket, std::uint64_t bytes) : socket_(socket) {
    socklen_t length = sizeof before_;
    // Without a way to give the kernel its say again nothing is touched.
    if (::getsockopt(socket_, SOL_SOCKET, kBufferLock, &lock_, &length) != 0) return;
    length = sizeof before_;
    if (::getsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &before_, &length) != 0) return;
    // Each byte costs memory beside it, and the kernel doubles what it is told.
    changed_ = set(static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(before_) / 2 + bytes, kMost)));
  }
  ~LargerBuffer() {
    if (!changed_) return;
    (void)set(before_ / 2);
    (void)::setsockopt(socket_, SOL_SOCKET, kBufferLock, &lock_, sizeof lock_);
  }
  LargerBuffer(const LargerBuffer&) = delete;
  LargerBuffer& operator=(const LargerBuffer&) = delete;

 private:
  static constexpr int kBufferLock = 72;  // SO_BUF_LOCK, Linux 5.15
  static constexpr std::uint64_t kMost = 2 * abi::kMostUnread;

  [[nodiscard]] bool set(int bytes) const {
    return ::setsockopt(socket_, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) == 0 ||
           ::setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0;
  }

  int socket_;
  int before_ = 0;
  int lock_ = 0;
  bool changed_ = false;
};

/** How many went: all, unless the socket has an error, or does not take them. */
std::uint64_t send_all(int socket, const Memory& memory, std::uint64_t bytes) {
  constexpr int kWaits = 20;
  constexpr int kWaitMs = 10;
  std::array<std::byte, 65536> part;
  std::optional<LargerBuffer> larger;
  std::uint64_t sent = 0;
  for (int waits = 0; sent < bytes;) {
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - sent, part.size()));
    const std::size_t got = memory.read(std::span(part).first(most), sent);
    if (got == 0) break;
    const ssize_t gone = ::send(socket, part.data(), got, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (gone > 0) {
      sent += static_cast<std::uint64_t>(gone);
    } else if (errno == EAGAIN && !larger) {
      larger.emplace(socket, bytes - sent);
    } else if (errno == EAGAIN && waits++ < kWaits) {
      pollfd one{socket, POLLOUT, 0};
      (void)::poll(&one, 1, kWaitMs);
    } else if (errno != EINTR) {
      break;
    }
  }
  return sent;
}

bool is_the_socket(const Fd& fd, const GivingBack& job) {
  struct stat info {};
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return fd.valid() && ::fstat(fd.get(), &info) == 0 && S_ISSOCK(info.st_mode) && info.st_ino == job.inode &&
         ::getsockopt(fd.get(), SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 && cookie == job.cookie;
}

/** By the number that it had when it was asked for, or by the one that it has now. */
Fd socket_of(const GivingBack& job) {
  if (Fd fd = descriptor_of(job.sender, job.socket); is_the_socket(fd, job)) return fd;
  FolderReader descriptors(job.sender_proc.get(), "fd");
  Fd found;
  if (!descriptors.valid()) return found;
  (void)descriptors.for_each_number([&](const char* name, int number) {
    char target[64];
    const auto link = found.valid() ? std::nullopt : read_link(descriptors.fd(), name, target);
    if (!link || inode_of_link(*link, "socket") != job.inode) return;
    found = descriptor_of(job.sender, number);
  });
  return is_the_socket(found, job) ? std::move(found) : Fd();
}

/** How many bytes went; nothing: the asker cannot be told in its memory. */
std::optional<std::uint64_t> give_back(const GivingBack& job) {
  Memory memory(descriptor_of(job.asker, job.memory));
  if (!memory.is_of(job.reader, job.bytes)) return std::nullopt;
  const Fd socket = socket_of(job);
  if (!socket.valid()) return std::nullopt;
  if (!memory.begin()) return 0;
  const std::uint64_t sent = send_all(socket.get(), memory, job.bytes);
  memory.end(sent);
  return sent;
}

}  // namespace

GiversBack::GiversBack() : state_(std::make_shared<State>()) {}

int GiversBack::fd() const { return state_->event.get(); }

bool GiversBack::start(GivingBack job) {
  const std::lock_guard guard(state_->lock);
  int& at_work = state_->at_work[job.uid];
  if (at_work >= kMostOfUser) return false;
  try {
    std::thread([state = state_, job = std::move(job)] {
      const std::optional<std::uint64_t> sent = give_back(job);
      const std::lock_guard at_end(state->lock);
      if (--state->at_work[job.uid] == 0) state->at_work.erase(job.uid);
      if (sent == job.bytes) ++state->returned;
      if (sent) return;
      state->refused.push_back({job.asking, job.sequence});
      const std::uint64_t one = 1;
      (void)!::write(state->event.get(), &one, sizeof one);
    }).detach();
  } catch (const std::system_error&) {
    return false;
  }
  ++at_work;
  return true;
}

std::uint64_t GiversBack::returned() const {
  const std::lock_guard guard(state_->lock);
  return state_->returned;
}

std::vector<GiversBack::Refused> GiversBack::refused() {
  std::uint64_t count = 0;
  (void)!::read(state_->event.get(), &count, sizeof count);
  const std::lock_guard guard(state_->lock);
  return std::exchange(state_->refused, {});
}

}  // namespace sockdoc::monitor
