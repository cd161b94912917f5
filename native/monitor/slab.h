#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace sockdoc::monitor {

/** Memory of two processes (by serial): a memfd that cannot change its size, in slots. Nobody else is ever given it. */
class Slab {
 public:
  static Result<std::unique_ptr<Slab>> make(std::uint64_t id, std::uint32_t slots, std::uint32_t ring_bytes);

  /** One of an earlier run of the monitor, whose memory only the two processes have: it gives no slots. */
  static std::unique_ptr<Slab> restored(std::uint64_t id, std::uint32_t ring_bytes);

  /** A free slot, all zero; nullopt when there is none. */
  std::optional<std::uint32_t> take();
  /** Both ends are done with it: its pages go back. */
  void give_back(std::uint32_t slot);

  /** What the two directions of a slot say of themselves: the processes may have written anything there. */
  struct Carried {
    std::uint64_t sent[2] = {};      // bytes ever put into the ring of that direction
    std::uint64_t received[2] = {};  // and taken out of it
  };
  /** nullopt for a restored one. */
  [[nodiscard]] std::optional<Carried> carried(std::uint32_t slot) const;

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] int memory() const { return memory_.get(); }  // −1 for a restored one
  [[nodiscard]] std::uint32_t slots() const { return static_cast<std::uint32_t>(taken_.size()); }
  [[nodiscard]] std::uint32_t ring_bytes() const { return ring_bytes_; }
  [[nodiscard]] std::uint64_t bytes() const;  // of address space; 0 for a restored one
  /** Memory in use now. */
  [[nodiscard]] std::uint64_t used_bytes() const;

  std::uint64_t processes[2] = {};  // serials; the same twice for a process that is connected to itself
  std::set<std::uint64_t> told;     // serials of the processes that have been given the memfd
  std::uint32_t live = 0;           // connections of which both ends are there
  bool has_doorbell = false;        // both processes were given an end: never twice
  bool retired = false;             // one of the two processes has ended: no new connections

 private:
  Slab(std::uint64_t id, Fd memory, std::uint32_t slots, std::uint32_t ring_bytes)
      : id_(id), memory_(std::move(memory)), ring_bytes_(ring_bytes), taken_(slots, false) {}

  std::uint64_t id_;
  Fd memory_;
  std::uint32_t ring_bytes_;
  std::vector<bool> taken_;
  std::uint32_t next_ = 0;
};

}  // namespace sockdoc::monitor
