#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "probes/bpf/symbols.h"

namespace sockdoc {

/** What a CPU did at the moment of a sample, on account of the process that was running there. */
enum class Doing { user, kernel, socket, upkeep, interrupt };

/**
 * Tells from the kernel's part of a call chain what a process was doing.
 *
 * socket: inside a system call of sockets, a read or write of one, or epoll; also what the kernel runs of the far side
 * in the same call, as loopback does when a send ends (softirq work that __local_bh_enable_ip starts).
 * upkeep: of that, what is about a socket and not about its bytes: making, connecting, accepting and closing it, its
 * options. It is the kernel's work whatever carries the bytes. interrupt: an interrupt came in between, and whatever
 * the chain holds outside of it did not ask for the work: softirq work of other people's packets counts for nobody. Of
 * poll() and select() only the look at a socket counts.
 */
class SocketPath {
 public:
  explicit SocketPath(const Symbols& symbols);

  /** False: the functions were not found, and nothing can be told. */
  [[nodiscard]] bool usable() const { return !sockets_.empty() && !interrupts_.empty(); }

  /**
   * `chain` as perf_event_open(2) gives it: the innermost address first, then return addresses, between them marks that
   * are no addresses.
   */
  [[nodiscard]] Doing of(std::span<const std::uint64_t> chain) const;

 private:
  std::vector<Symbols::Range> sockets_;
  std::vector<Symbols::Range> upkeep_;
  std::vector<Symbols::Range> interrupts_;
};

}  // namespace sockdoc
