#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "abi/messages.h"
#include "preload/table/table.h"

namespace sockdoc::preload {

/**
 * This process's record of a socket whose bytes go, or went, by shared memory. Never unmapped, and used again for
 * another socket only after both roles were taken: whoever holds one late finds that it is another's.
 *
 * For readiness, beside what the send and receive hooks do by themselves. A socket is readable when the kernel says so
 * or has_ring_bytes(); writable when the kernel says so. Who is about to sleep on it, in whatever call, alone or
 * with others, calls let_kernel_wake() first and awake() afterwards, each once.
 */
class Connection {
 public:
  /** The ring holds bytes that a read would deliver now. No system call. */
  [[nodiscard]] bool has_ring_bytes();

  /**
   * From now on, until awake(), whatever comes makes the kernel's socket readable. False: there are bytes in the ring
   * already, do not sleep (and do not call awake()). Sleepers are counted.
   */
  [[nodiscard]] bool let_kernel_wake();
  void awake();

  /** Ring bytes ever announced by the peer: when it changes, something came (edge-triggered readiness). */
  [[nodiscard]] std::uint64_t arrivals() const;

  /** Both directions go by the kernel from here on, for good: `reason` is reported. */
  void keep_on_kernel(abi::Reason reason);
};

/** Null for a socket that never left the kernel: the common case, which costs two loads. */
[[nodiscard]] Connection* connection_of(Handle socket);

/** Looks whether the monitor has said something; cheap. Before sleeping, and now and then. */
void notice_messages();

}  // namespace sockdoc::preload
