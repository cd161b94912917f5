#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>

#include "preload/table/table.h"

namespace sockdoc::preload {

/**
 * What an epoll set wants to know of one TCP socket. The registration with the kernel stays the program's own; this is
 * its copy, so that bytes that come by a ring are reported as the kernel would report them.
 */
class Member {  // all zero at first
 public:
  struct Interest {
    std::uint32_t version = 0;
    std::uint32_t events = 0;
    std::uint64_t data = 0;
  };

  /** False while it changes: whoever changes it looks for sleepers afterwards. */
  [[nodiscard]] bool read(Interest& into) const;
  /** The same, and waits for the end of a change, within reason. */
  [[nodiscard]] bool read_settled(Interest& into) const;

  /**
   * Around a change of the kernel's registration: begin() before it, then one of the others with what begin() gave.
   * Meanwhile an event may come of either registration, and nobody decides about it. 0: somebody else changes it too,
   * and which change the kernel saw last will not be known.
   */
  [[nodiscard]] std::uint32_t begin();
  void commit(std::uint32_t change, Handle socket, int fd, const epoll_event& event);
  void abandon(std::uint32_t change);

  [[nodiscard]] Handle socket() const { return Handle(socket_.load(std::memory_order_relaxed)); }
  [[nodiscard]] int fd() const { return fd_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t data() const { return data_.load(); }

  /**
   * What the kernel has of it in this life of its set, as far as a change may wait: the events with kKnown, or kUnclear
   * while they change; 0 where it has nothing, or what is changed at once.
   */
  static constexpr std::uint32_t kKnown = EPOLLONESHOT;
  static constexpr std::uint32_t kUnclear = EPOLLONESHOT | EPOLLET;
  [[nodiscard]] std::uint32_t registered(std::uint32_t life) const {
    const std::uint64_t word = registered_.load();
    return word >> 32 == life ? static_cast<std::uint32_t>(word) : 0;
  }
  void now_registered(std::uint32_t life, std::uint32_t as) { registered_.store(std::uint64_t{life} << 32 | as); }

  /** EPOLLONESHOT: true for one event after each change, whoever delivers it. */
  [[nodiscard]] bool fire(std::uint32_t version);
  [[nodiscard]] bool fired(std::uint32_t version) const { return fired_.load() == version; }
  /** EPOLLET: true once for what has arrived, in one thread. */
  [[nodiscard]] bool take_edge(std::uint64_t arrivals);
  [[nodiscard]] bool edge_taken(std::uint64_t arrivals) const { return edge_.load() == arrivals; }

  /** Looks in a row that found nothing. */
  std::atomic<std::uint32_t> idle{0};
  /** Of what its connection had received when somebody last slept on its set. */
  std::atomic<std::uint64_t> received{0};
  /** Sleeps on watches since. */
  std::atomic<std::uint32_t> quiet_sleeps{0};

 private:
  static constexpr std::uint64_t kNoEdge = ~std::uint64_t{0};

  std::atomic<std::uint64_t> socket_{0};
  std::atomic<std::uint32_t> version_{0};  // odd while it changes
  std::atomic<std::uint32_t> events_{0};
  std::atomic<std::uint64_t> data_{0};
  std::atomic<std::uint64_t> edge_{0};   // arrivals at the last edge
  std::atomic<std::uint32_t> fired_{0};  // the version that has had its event
  std::atomic<std::int32_t> fd_{0};
  std::atomic<std::uint64_t> registered_{0};  // life << 32 | events
};

}  // namespace sockdoc::preload
