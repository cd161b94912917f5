#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "abi/attach.h"
#include "preload/connection/connection.h"
#include "preload/connection/slabs.h"

namespace sockdoc::preload {

/** All connections of this process, each at the place that its socket has in the table. */
class Connections {
 public:
  enum class Reply { nothing, no_memory, not_there };

  [[nodiscard]] Connection* find(Handle socket) const {
    Connection* connection = socket ? known(socket.index()) : nullptr;
    if (connection == nullptr) return nullptr;
    return connection->handle_.load(std::memory_order_acquire) == socket.word() ? connection : nullptr;
  }

  /** How many calls a socket makes before it is worth to ask. */
  void ask_after(std::uint64_t calls) { ask_after_ = calls; }
  /** The same, and sockets may cross (again). */
  void begin(std::uint64_t after_calls);
  /** None crosses, until stay_after_all(). */
  void hold() { leaving_ = 1; }
  /**
   * From now on none crosses, and those that did go back; how many directions are not back yet. Waits for nothing, but
   * for the monitor where the program does not read for a while.
   */
  [[nodiscard]] std::uint32_t leave();
  /** After leave() or hold(): sockets may cross again, but for those that are back. False: nobody was about to leave.
   */
  [[nodiscard]] bool stay_after_all();
  /** Once none is left, with all other threads stopped: no peer can hold us from now on. False: one does. */
  [[nodiscard]] bool send_alone();
  /** The same number, with all other threads stopped. */
  [[nodiscard]] std::uint32_t left();
  /** What they wait for: see sockdoc_libsd_kept(). */
  [[nodiscard]] std::uint32_t kept(std::span<sockdoc_attach_kept> into);
  /** Once none is left, with all other threads stopped: the memory that was shared is given back. */
  void end();
  /** Changes when libsd has come into this process again: calls that are older begin anew. */
  [[nodiscard]] std::uint32_t era() const { return era_.load(std::memory_order_relaxed); }
  void begin_era() { era_.fetch_add(1); }
  /** The socket in this place of the table has another handle from now on. */
  void renewed(std::uint32_t index);
  /** A socket that has made `calls` so far may be worth to ask for; one that was granted memory may go over to it. */
  void consider(Handle socket, SocketState& state, int fd, std::uint64_t word);
  /** It stays on the kernel: it goes back, or never leaves. */
  void stay(Handle socket, abi::Reason reason);
  /** The same for the inbound direction. */
  void stay_receiving(Handle socket, abi::Reason reason);

  /** From now on no socket crosses any more. */
  void stop(abi::Reason reason) { stopped_ = static_cast<std::uint32_t>(reason); }

  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed) != 0; }

  /** For the link to the monitor, under its lock. */
  [[nodiscard]] Reply answered(const abi::Answer& answer, int memory);
  void withdrawn(std::uint64_t cookie, abi::Reason reason);
  [[nodiscard]] MappedSlabs& slabs() { return slabs_; }
  /** The connection of a socket whose word says that it crossed; whoever sees that first may be another thread. */
  [[nodiscard]] Connection* crossed(Handle socket) {
    Connection* connection = at(socket.index());
    if (connection != nullptr) connection->taken_over(socket);
    return connection;
  }

  /** Whether there ever was one. */
  [[nodiscard]] bool any() const { return any_.load(std::memory_order_relaxed) != 0; }

  template <typename Visit>
  void each(Visit visit) {
    each_record([&](Connection& connection) {
      if (connection.here()) visit(connection);
    });
  }
  /** Those too that this process never had, or has no more, on rings. */
  template <typename Visit>
  void each_record(Visit visit) {
    each_place([&](Connection& connection) {
      if (connection.handle_.load() != 0) visit(connection);
    });
  }

  /** Of the socket in this place of the table: true when no pages are left that could be given back. */
  bool look_for_pages(std::uint32_t index, std::uint64_t now_ms);

  /** The last descriptor of a socket goes; -1 when it has gone. */
  void closing(Handle socket, int fd);
  /** A socket was disconnected; it may be connected anew. */
  void taken_apart(Handle socket);
  /** Before the process is copied: its child may use the sockets too. Until after_fork() nothing crosses or comes back.
   */
  void before_fork();
  [[nodiscard]] bool forking() const { return forks_.load() != 0; }
  void after_fork() { forks_.fetch_sub(1); }
  /** In a child with its own memory. */
  void forked();
  /** At the start of a program: what an earlier one left of bytes that come before what its sockets hold. */
  void inherit();
  /** After an exec that failed: programs to come do not get these bytes. */
  void exec_failed();

 private:
  static constexpr unsigned kChunk = 512;
  static constexpr unsigned kChunks = 2048;
  using Chunk = Connection[kChunk];

  template <typename Visit>
  void each_place(Visit visit) {
    for (std::atomic<Chunk*>& place : chunks_) {
      Chunk* chunk = place.load();
      if (chunk == nullptr) continue;
      for (Connection& connection : *chunk) visit(connection);
    }
  }
  /** The record in this place of the table; null where there never was one, or without memory. */
  [[nodiscard]] Connection* known(std::uint32_t index) const {
    Chunk* chunk = chunks_[index / kChunk].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &(*chunk)[index % kChunk];
  }
  [[nodiscard]] Connection* at(std::uint32_t index);
  [[nodiscard]] bool is_due(Handle socket, std::uint64_t calls_since) const;
  [[nodiscard]] bool suits(Handle socket, int fd);
  [[nodiscard]] bool counted(SocketState& state, Connection& connection, int fd) const;
  [[nodiscard]] bool counts_agree(const SocketState& state, const Connection& connection, int fd) const;
  void refuse(SocketState& state, int fd, std::uint64_t word);
  void cross(Handle socket, SocketState& state, Connection& connection, int fd, std::uint64_t word);

  std::atomic<Chunk*> chunks_[kChunks] = {};
  std::uint64_t ask_after_ = 0;
  std::atomic<std::uint32_t> stopped_{0};  // abi::Reason
  std::atomic<std::uint32_t> any_{0};
  std::atomic<std::uint32_t> leaving_{0};
  std::uint64_t leaving_since_ms_ = 0;
  std::atomic<std::uint32_t> era_{0};
  std::atomic<std::uint32_t> forks_{0};  // under way
  MappedSlabs slabs_;
};

extern Connections connections;

inline Connection* connection_of(Handle socket) { return connections.find(socket); }

}  // namespace sockdoc::preload
