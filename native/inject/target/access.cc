#include "inject/target/access.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <new>
#include <string>

#include "base/fd.h"
#include "inject/process/facts.h"

namespace sockdoc::inject {
namespace {

constexpr char kName[] = "sockdoc-reader";
constexpr std::size_t kRoom = 256 * 1024;
constexpr std::size_t kMostPieces = 256;

// How long a page is waited for. After each that stayed away half as long, so that many of them do not add up.
constexpr int kPatienceMs = 1000;
constexpr int kPatienceOfHoldersMs = 200;
constexpr int kLeastMs = 10;

/** And how long the child is, where it is a processor that it waits for. */
constexpr int kLongestMs = 5000;

/** Shared by two processes, so not private; a signal or a look at whether the other is there ends it, too. */
void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t is, const timespec* at_most) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT, is, at_most, nullptr, 0);
}
void wake(const std::atomic<std::uint32_t>& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

/** Also of nothing, which may be nowhere. */
void copy(void* into, const void* from, std::size_t size) {
  if (size > 0) std::memcpy(into, from, size);
}

/** The tracer's lock on the process, and its output, end with the tracer. */
void close_all() {
  if (::syscall(SYS_close_range, 0, ~0U, 0) == 0) return;
  constexpr int kMostWeOpen = 256;
  for (int fd = 0; fd < kMostWeOpen; fd++) ::close(fd);
}

}  // namespace

/** What the two share: one asks, the other answers. Never that of a child before, which may write there still. */
struct Access::Area {
  std::atomic<std::uint32_t> asked = 0;
  std::atomic<std::uint32_t> answered = 0;
  Way way = Way::read;
  std::uint32_t count = 0;
  iovec there[kMostPieces];
  std::int64_t moved = 0;
  std::int32_t error = 0;
  std::uint8_t bytes[kRoom];

  void do_as_asked(pid_t pid) {
    std::size_t size = 0;
    for (std::uint32_t i = 0; i < count; i++) size += there[i].iov_len;
    const iovec here{bytes, size};
    errno = 0;
    if (way == Way::read) moved = ::process_vm_readv(pid, &here, 1, there, count, 0);
    if (way == Way::write) moved = ::process_vm_writev(pid, &here, 1, there, count, 0);
    if (way == Way::write_file) {
      const Fd memory(::open((process_folder(pid) + "/mem").c_str(), O_RDWR | O_CLOEXEC));
      const auto at = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(there[0].iov_base));
      moved = memory.valid() ? ::pwrite(memory.get(), bytes, size, at) : -1;
    }
    error = errno;
  }

  [[noreturn]] void serve(pid_t pid) {
    for (std::uint32_t turn = 0;;) {
      while (asked.load(std::memory_order_acquire) == turn) wait_while(asked, turn, nullptr);
      turn++;
      do_as_asked(pid);
      answered.store(turn, std::memory_order_release);
      wake(answered);
    }
  }
};

bool Access::begin() {
  if (child_ != 0) return true;
  void* shared = ::mmap(nullptr, sizeof(Area), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return false;
  area_ = new (shared) Area;
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ == 0) {
    // We are told to end by our tracer alone.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_IGN);
    ::prctl(PR_SET_NAME, kName);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_all();
    if (::getppid() != parent) ::_exit(0);
    area_->serve(pid_);
  }
  return true;
}

/** One that waits uninterruptibly is not waited for: it ends when it can. */
void Access::end() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    constexpr int kToEndMs = 20;
    const Deadline patience = Deadline::of_taking_back_in_ms(kToEndMs);
    while (::waitpid(child_, nullptr, WNOHANG) == 0 && !patience.passed()) nap(100'000);
  }
  child_ = 0;
  if (area_ != nullptr) ::munmap(area_, sizeof(Area));
  area_ = nullptr;
}

Deadline Access::patience() const {
  const int first = hurries_ ? kPatienceOfHoldersMs : kPatienceMs;
  constexpr int kMostShifts = 16;
  std::int64_t ms = std::max(kLeastMs, first >> std::min(stalls_, kMostShifts));
  if (deadline_ && deadline_->left_ns() > 0) ms = std::min<std::int64_t>(ms, deadline_->left_ns() / 1'000'000 + 1);
  return Deadline::of_taking_back_in_ms(ms);
}

bool Access::wants_processor() const {
  const auto facts = read_facts(process_folder(child_));
  return facts && facts->state == 'R';
}

Access::End Access::await(std::uint32_t turn) {
  constexpr std::int64_t kLook = 20'000'000;
  const Deadline limit = patience();
  const Deadline longest = Deadline::of_taking_back_in_ms(kLongestMs);
  for (std::uint32_t now; (now = area_->answered.load(std::memory_order_acquire)) != turn;) {
    if (limit.passed() && (longest.passed() || !wants_processor())) return End::late;
    const timespec time{0, limit.passed() ? kLook : std::min(limit.left_ns() + 1, kLook)};
    wait_while(area_->answered, now, &time);
    if (area_->answered.load(std::memory_order_acquire) == turn) break;
    if (::waitpid(child_, nullptr, WNOHANG) == child_) {
      child_ = 0;
      return End::ended;
    }
  }
  return End::answered;
}

/** At most `kRoom` bytes in `kMostPieces` pieces. */
std::size_t Access::ask(Way way, std::span<const Piece> pieces, std::size_t size) {
  area_->way = way;
  area_->count = static_cast<std::uint32_t>(pieces.size());
  std::uint8_t* bytes = area_->bytes;
  for (std::size_t i = 0; i < pieces.size(); i++) {
    area_->there[i] = {reinterpret_cast<void*>(number(pieces[i].at)), pieces[i].size};
    if (way != Way::read) copy(bytes, pieces[i].here, pieces[i].size);
    bytes += pieces[i].size;
  }
  const std::uint32_t turn = area_->asked.load(std::memory_order_relaxed) + 1;
  // Without room for a child, as at the limit of a user's processes, we wait ourselves.
  if (child_ < 0) area_->do_as_asked(pid_);
  if (child_ > 0) area_->asked.store(turn, std::memory_order_release);
  if (child_ > 0) wake(area_->asked);
  switch (child_ > 0 ? await(turn) : End::answered) {
    case End::answered:
      break;
    case End::late:
      stalls_++;
      if (!stalled_) stalled_ = pieces.front().at;
      [[fallthrough]];
    case End::ended:
      end();
      errno = ETIMEDOUT;
      return 0;
  }
  const std::size_t moved = std::min(size, static_cast<std::size_t>(std::max<std::int64_t>(area_->moved, 0)));
  const int error = area_->error;
  bytes = area_->bytes;
  for (std::size_t left = way == Way::read ? moved : 0, i = 0; left > 0; i++) {
    const std::size_t part = std::min(left, pieces[i].size);
    copy(pieces[i].here, bytes, part);
    bytes += part;
    left -= part;
  }
  errno = error;
  return moved;
}

std::size_t Access::move_some(Way way, std::span<const Piece> pieces) {
  std::size_t size = 0;
  for (const Piece& piece : pieces) size += piece.size;
  // Who has killed the child, and not us, may do so once.
  for (int tries = 2; tries > 0; tries--) {
    const auto stalls = stalls_;
    if (!begin()) return 0;
    const std::size_t moved = ask(way, pieces, size);
    if (child_ != 0 || stalls_ != stalls) return moved;
  }
  return 0;
}

std::size_t Access::move(Way way, std::span<const Piece> pieces) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < pieces.size();) {
    Piece parts[kMostPieces];
    std::size_t count = 0;
    std::size_t size = 0;
    // As many as have room; of one that is larger than all of it, what has.
    for (; i < pieces.size() && count < kMostPieces && size + pieces[i].size <= kRoom; i++) {
      size += pieces[i].size;
      parts[count++] = pieces[i];
    }
    if (count > 0) {
      const std::size_t moved = move_some(way, {parts, count});
      sum += moved;
      if (moved < size) return sum;
      continue;
    }
    for (std::size_t done = 0; done < pieces[i].size;) {
      const std::size_t room = std::min(kRoom, pieces[i].size - done);
      const Piece part{pieces[i].at + done, static_cast<std::uint8_t*>(pieces[i].here) + done, room};
      const std::size_t moved = move_some(way, {&part, 1});
      sum += moved;
      done += moved;
      if (moved < room) return sum;
    }
    i++;
  }
  return sum;
}

}  // namespace sockdoc::inject
