#pragma once

#include <atomic>
#include <cstdint>

#include "abi/direction.h"
#include "abi/messages.h"
#include "preload/table/table.h"

namespace sockdoc::preload {

/**
 * The connection to sockdoc-monitor. Nothing here ever waits: a message that cannot be sent now is not sent, and
 * whoever finds another thread (or the thread that he interrupted) at work goes on without. Where there is no monitor
 * it is looked for again at most once a second. What the monitor says goes to connections (connection/connections.h).
 */
class MonitorLink {
 public:
  /** The path of the monitor's socket. Null or empty: there is none, and nothing is ever asked. */
  void configure(const char* path);
  /** Whether a path is short enough for a socket's address. */
  [[nodiscard]] static bool fits(const char* path) { return __builtin_strlen(path) < sizeof path_; }
  /** libsd came into this process later, or again: what the monitor knows of its sockets is not true any more. */
  void begin_anew() { anew_ = true; }
  /** Whether it has answered the greeting. */
  [[nodiscard]] bool listens() const { return state_.load(std::memory_order_relaxed) == State::ready; }
  /** A thread is about to say something, or to do what it was told. */
  [[nodiscard]] bool busy() const { return locked_.load() != 0; }
  /** There is none any more, and it is told so: all connections are the kernel's. With all other threads stopped. */
  void end();
  [[nodiscard]] bool wanted() const { return path_[0] != 0; }
  [[nodiscard]] const char* path() const { return path_; }

  /** Asks about a connected socket. True when the question is on its way. */
  [[nodiscard]] bool ask(Handle socket, int fd);
  /** Says that a connected socket stays on the kernel, before anybody has asked. True when the message is on its way.
   */
  [[nodiscard]] bool keep(int fd, abi::Reason reason);
  /** Says to a monitor that was started anew which memory the connection has. */
  void restore(Handle socket, int fd, const abi::Place& place);
  /** How many times a monitor has welcomed this process. */
  [[nodiscard]] std::uint32_t runs() const { return runs_.load(std::memory_order_relaxed); }
  /** The socket is closed. */
  void release(std::uint64_t cookie);
  /**
   * Asks for the kernel to get the first `bytes` of `memory`, which has to say so itself (abi/unread.h). True when the
   * request is on its way.
   */
  [[nodiscard]] bool give_back(Handle socket, std::uint64_t cookie, int memory, std::uint64_t bytes);
  /** Asks for a slab's doorbell: both of its processes get one, at some time, or neither. True: it is on its way. */
  [[nodiscard]] bool want_doorbell(std::uint64_t slab);
  /** For the books: what carries, and why. */
  void report(std::uint64_t cookie, abi::Carrier carrier, abi::Reason reason);

  /** One load, unless there is something to receive. */
  void look() {
    const abi::Notice* notice = notice_.load(std::memory_order_acquire);
    if (notice == nullptr) return;
    if (__atomic_load_n(&notice->messages, __ATOMIC_ACQUIRE) != seen_.load(std::memory_order_relaxed)) tend();
  }
  /** Receives what there is, and looks after a link that has broken. A few system calls. */
  void tend();

  /** Like tend(), at most once a second. */
  void tend_at_times();

  /** In a child with its own memory: it registers itself when it needs to. */
  void forked();

 private:
  enum class State : std::uint32_t { none, greeting, ready };

  [[nodiscard]] bool lock();
  void unlock() { locked_.store(0, std::memory_order_release); }
  [[nodiscard]] bool usable();  // under the lock, as all below
  void open();
  void close();
  void receive();
  [[nodiscard]] bool receive_one();
  /** `fd`: what came along, or -1; as it is afterwards where it was taken. */
  void handle(const abi::Header& header, const void* message, int& fd);
  [[nodiscard]] bool send(const void* message, std::size_t bytes);
  [[nodiscard]] int fd() const;

  char path_[108] = {};  // a copy: programs write their title over their environment
  std::atomic<std::uint64_t> locked_{0};
  std::atomic<State> state_{State::none};
  int place_ = -1;  // among our own descriptors
  std::uint64_t next_try_ms_ = 0;
  bool anew_ = false;
  std::atomic<const abi::Notice*> notice_{nullptr};
  long page_ = 0;  // where it is, or was
  std::atomic<std::uint64_t> seen_{0};
  std::atomic<std::uint32_t> runs_{0};
  std::atomic<std::uint64_t> tended_ms_{0};
};

extern MonitorLink monitor_link;

}  // namespace sockdoc::preload
