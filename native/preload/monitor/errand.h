#pragma once

#include <cstdint>

#include "abi/messages.h"
#include "abi/slab.h"
#include "preload/table/own.h"

namespace sockdoc::preload {

/** A connection's memory as it is mapped here. */
struct MappedPlace {
  abi::Place place;
  abi::SlotHead* slot;
  std::byte* rings;
};

/**
 * A child that is about to execute a program asks the monitor itself, by a link of its own, about one socket: its
 * parent's link is the parent's, and a child of vfork() may change nothing in the parent's memory for it. Everything is
 * on the stack and in the child's own descriptors, and goes with the block.
 */
class Errand {
 public:
  Errand() = default;
  ~Errand();
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  /**
   * The monitor knows the calling process, and that it has the socket `fd`. `with_memory`: and has given it the memory
   * of the connection. False: not until `deadline` (coarse_ms()), or not for this process.
   */
  [[nodiscard]] bool begin(int fd, bool with_memory, std::uint64_t deadline);
  /** After begin() with memory. */
  [[nodiscard]] MappedPlace mapped() const;

  /** As MonitorLink::give_back(). */
  [[nodiscard]] bool give_back(std::uint64_t cookie, int memory, std::uint64_t bytes);
  /** Whether the monitor does not do it, or is gone. */
  [[nodiscard]] bool refused();

 private:
  [[nodiscard]] bool connect(std::uint64_t deadline);
  [[nodiscard]] bool send(const void* message, std::size_t bytes) const;
  [[nodiscard]] bool await_answer(std::uint64_t cookie, std::uint64_t deadline, abi::Answer& answer, int& memory) const;
  [[nodiscard]] bool map(const abi::Answer& answer, int memory);

  OwnDescriptor link_;
  abi::Place place_ = {};
  std::byte* slab_ = nullptr;
};

}  // namespace sockdoc::preload
