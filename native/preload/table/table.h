#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/libsd.h"
#include "preload/table/holders.h"

namespace sockdoc::preload {

/** What is known of one TCP socket. Several descriptors may lead to it. */
struct alignas(64) SocketState {
  std::atomic<std::uint64_t> life;  // generation << 32 | descriptors that lead here
  std::atomic<std::uint64_t> sent;
  std::atomic<std::uint64_t> received;
  std::atomic<std::uint64_t> cookie;  // 0: not asked for yet
  std::atomic<std::uint32_t> kind;    // sockdoc_libsd_kind
  std::atomic<std::uint32_t> flags;
  std::atomic<std::uint32_t> epoch;  // of the table when it was made
  std::atomic<std::uint32_t> next_free;
  std::atomic<std::uint64_t> gate;              // connection/gate.h
  std::atomic<std::uint32_t> reason;            // abi::Reason: why the kernel carries it
  std::atomic<std::uint32_t> receiving_reason;  // the same for kStaysReceiving
};
static_assert(sizeof(SocketState) == 64);

inline constexpr std::uint32_t kNonBlocking = 1;
inline constexpr std::uint32_t kUncounted = 2;  // bytes went by that no count holds
inline constexpr std::uint32_t kShutRead = 4;
inline constexpr std::uint32_t kShutWrite = 8;
inline constexpr std::uint32_t kStays = 16;           // on the kernel, for `reason`
inline constexpr std::uint32_t kStaysReceiving = 32;  // what it receives, at least
inline constexpr std::uint32_t kMeansDelay = 64;      // TCP_NODELAY is ours; for the program it is not set
inline constexpr std::uint32_t kAdopted = 128;  // was there before libsd: the kernel's counters tell what it carried
inline constexpr unsigned kHoldersShift = 8;    // above it: the place in Holders, once a fork has copied it

/** A socket as a descriptor named it at one moment: it stays told apart from what the number means later. */
class Handle {
 public:
  Handle() = default;
  explicit Handle(std::uint64_t word) : word_(word) {}

  explicit operator bool() const { return word_ != 0; }
  [[nodiscard]] std::uint64_t word() const { return word_; }
  [[nodiscard]] std::uint32_t index() const { return static_cast<std::uint32_t>(word_) - 1; }
  [[nodiscard]] std::uint32_t generation() const { return static_cast<std::uint32_t>(word_ >> 32); }

 private:
  std::uint64_t word_ = 0;
};

/**
 * Descriptor → TCP socket, for one process. All of it may be called from hooks (libsd.h): no lock, and memory from mmap
 * alone, never given back, so that a late reader reads stale words and not a hole.
 *
 * Who may change it: only the process that owns it. The child of vfork() or posix_spawn() runs hooked calls on the
 * parent's memory, so what changes the table compares the raw process id with the owner's first. A child with its own
 * copy finds that owner wiped (MADV_WIPEONFORK), however it was made, and takes the copy over.
 */
class DescriptorTable {
 public:
  static constexpr unsigned kSlots = 512;
  static constexpr unsigned kChunks = 2048;  // a million descriptors; what is above is not tracked

  /** From now on sockets are recorded. False without memory. */
  [[nodiscard]] bool start();
  /** Those that are open already. */
  void take_stock_of_all();
  /** A socket that was open before libsd came, and that nobody uses meanwhile. */
  void adopt(int fd);
  /**
   * Libsd was away: descriptors that do not lead to the same socket any more are forgotten, the others have new
   * handles, and what was known of them is not true any more; adopt() each. Calls that are under way stay counted.
   */
  void renew();

  /** The socket behind a descriptor; none for what is not TCP, not known, or not recorded. Two loads. */
  [[nodiscard]] Handle find(int fd) const {
    const unsigned chunk = static_cast<unsigned>(fd) / kSlots;
    if (chunk >= kChunks) [[unlikely]]
      return {};
    const Slots* slots = slots_[chunk].load(std::memory_order_acquire);
    if (slots == nullptr) return {};
    return Handle((*slots)[static_cast<unsigned>(fd) % kSlots].load(std::memory_order_relaxed));
  }

  /** Null when the handle's socket is gone. */
  [[nodiscard]] SocketState* state(Handle handle) const;
  /** SO_COOKIE, asked for once; 0: not to be had. */
  [[nodiscard]] static std::uint64_t cookie_of(SocketState& socket, int fd);
  /** Whether a number that came from elsewhere can be asked about. */
  [[nodiscard]] bool knows(Handle handle) const { return handle && handle.index() < used_.load(); }
  /** Whether the counts hold all bytes of the connection. */
  [[nodiscard]] bool complete(const SocketState& socket) const {
    return (socket.flags.load() & kUncounted) == 0 && socket.epoch.load() == epoch_.load();
  }
  /** Whether no fork has happened since the socket was made, so that no other process has it by that. */
  [[nodiscard]] bool unshared(const SocketState& socket) const { return socket.epoch.load() == epoch_.load(); }

  /** Whether all other processes that a fork gave the socket to have closed it. Then it is as if there had been none.
   */
  [[nodiscard]] bool regain(SocketState& socket, int fd);
  /** The same of an epoll set, since forks that went before: whether nobody else has it. */
  [[nodiscard]] bool alone_with(Handle set);
  /** Whether regain() may say yes one day. */
  [[nodiscard]] bool may_regain(const SocketState& socket) const {
    return (socket.flags.load() & kUncounted) == 0 && holders_place(socket) != Holders::kNone;
  }
  /** Others have the socket, or will, who do not count themselves. */
  void share_for_ever(const SocketState& socket) { holders_.forbid(holders_place(socket)); }

  /** The id of the process that this memory belongs to; 0 in a child that has not been noticed yet: see mine(). */
  [[nodiscard]] std::int32_t process() const {
    return owner_ == nullptr ? 0 : owner_->process.load(std::memory_order_relaxed);
  }
  /** Whether the table is the calling process's. A child with its own copy takes it over. */
  bool mine();  // costs a system call

  void sent(Handle handle, std::uint64_t bytes);
  void received(Handle handle, std::uint64_t bytes);
  void raise(Handle handle, std::uint32_t flags);
  void lower(Handle handle, std::uint32_t flags);
  void become(Handle handle, sockdoc_libsd_kind kind);
  [[nodiscard]] std::uint32_t kind(Handle handle) const;
  /** The counts begin anew: a socket that was disconnected. */
  void reset(Handle handle);

  /** A descriptor that the kernel has just given out. Replaces what was known of the number. */
  void record(int fd, sockdoc_libsd_kind kind, std::uint32_t flags);
  /** Records a descriptor of unknown kind if the kernel says that it is a TCP socket. */
  void take_stock(int fd);
  /** Takes the descriptor out, before the kernel closes it; what comes back can be put back if it did not. */
  [[nodiscard]] Handle take(int fd);
  void put_back(int fd, Handle handle);
  /** `fd`, where it is still open, is the descriptor that goes. */
  void drop(Handle handle, int fd = -1);
  void forget(int fd) { drop(take(fd), fd); }
  void forget_range(unsigned first, unsigned last);
  /** Every descriptor, without a system call; none is recorded any more, until start(). */
  void forget_all();
  /** `to` now means what `from` means. */
  void share(int from, int to);

  enum class Fork { comes_back, does_not };
  /** Before a fork: the child will have what we have. What forked() has to be given. */
  unsigned before_fork(Fork fork);
  /** After it, or right before where nothing can be done after it: neither's counts hold all bytes any more. */
  void begin_epoch() { epoch_.fetch_add(1, std::memory_order_relaxed); }
  /** After fork: both have the sockets. What fork() said, to each. */
  void forked(std::int32_t child, unsigned number);
  /** In the process that executes another program: what that gets, it may leave to more processes. */
  void before_exec();
  /** From now on: programs are executed by calls that no hook sees. */
  void miss_calls() { misses_calls_ = true; }
  /** Libsd leaves: nobody looks after children any more, nor sees what is done with what others have too. */
  void look_no_more();

  /** `visit(fd, handle)` for every descriptor with a socket. */
  template <typename Visit>
  void each(Visit visit) const {
    for (unsigned fd = 0; fd < kSlots * kChunks; fd++) {
      if (slots_[fd / kSlots].load(std::memory_order_acquire) == nullptr) {
        fd |= kSlots - 1;
        continue;
      }
      const Handle handle = find(static_cast<int>(fd));
      if (handle) visit(static_cast<int>(fd), handle);
    }
  }

  /** True in a child that runs on the memory of the process that owns the table. */
  [[nodiscard]] bool on_loan() { return owner_ != nullptr && !mine(); }

  bool read(int fd, sockdoc_socket_state& into);

  /** One more than the highest descriptor that is known. */
  [[nodiscard]] unsigned end() const;

  /** Another number after each fork, in both processes. */
  [[nodiscard]] std::uint32_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  /** True in a child with its own memory that no hook has noticed yet. */
  [[nodiscard]] bool inherited() const {
    return owner_ != nullptr && owner_->process.load(std::memory_order_relaxed) == 0;
  }

 private:
  using Slots = std::atomic<std::uint64_t>[kSlots];
  using States = SocketState[kSlots];

  struct Owner {
    std::atomic<std::int32_t> process;
  };

  [[nodiscard]] std::atomic<std::uint64_t>* slot(int fd);
  [[nodiscard]] SocketState& at(std::uint32_t index) const { return (*states_[index / kSlots].load())[index % kSlots]; }
  [[nodiscard]] static std::uint32_t holders_place(const SocketState& socket) {
    return socket.flags.load(std::memory_order_relaxed) >> kHoldersShift;
  }
  [[nodiscard]] bool same_socket(int fd, Handle handle) const;
  [[nodiscard]] Handle make(sockdoc_libsd_kind kind, std::uint32_t flags);
  [[nodiscard]] bool claim(std::uint32_t& index);
  [[nodiscard]] bool hold(Handle handle);
  void set(int fd, Handle handle);
  [[nodiscard]] unsigned number_of_child();

  std::atomic<Slots*> slots_[kChunks] = {};
  std::atomic<States*> states_[kChunks] = {};
  std::atomic<std::uint64_t> free_{0};  // changes << 32 | index + 1
  std::atomic<std::uint32_t> used_{0};
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<bool> misses_calls_{false};
  std::atomic<std::uint32_t> fork_expected_{0};
  std::atomic<unsigned> child_expected_{Holders::kUnknown};  // its number, while a fork is under way
  Holders holders_;
  Owner* owner_ = nullptr;
};

extern DescriptorTable table;

}  // namespace sockdoc::preload
