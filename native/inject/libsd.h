#pragma once

#include <span>
#include <vector>

#include "abi/attach.h"
#include "inject/job.h"
#include "inject/visit/visit.h"
#include "preload/libsd.h"

namespace sockdoc::inject {

/** libsd in the target: what it says, and its functions, called by a visiting thread. */
class Libsd {
 public:
  Libsd(const Memory& memory, Image image) : memory_(memory), image_(std::move(image)) {}

  /** By the target's own loader, from a memory file: whatever its mount namespace holds. */
  static Refused load(Visit& visit, const Memory& memory, const Image& libc, const Job& job, const Deadline& deadline,
                      std::optional<Libsd>& into);

  /** What it says of itself, read without stopping anything. */
  [[nodiscard]] std::uint32_t mode() const;
  [[nodiscard]] bool at_work() const;
  /** It was told to leave by somebody who has neither done it nor given it up. */
  [[nodiscard]] bool leaving() const;

  Refused attach(Visit& visit, const Job& job, const Deadline& deadline);
  Refused sites(Visit& visit, const Deadline& deadline, std::vector<sockdoc_attach_site>& into);
  /** Its trampolines, where they are not there yet. */
  Refused write_trampolines(Visit& visit, const Deadline& deadline);
  /** With all threads stopped, like undo(). */
  Refused apply(Visit& visit, std::span<const sockdoc_attach_site> sites, const EpollSets& sets,
                const Deadline& deadline);
  Refused leave(Visit& visit, const Deadline& deadline, std::uint32_t& left);
  /** What it waits for: the first of `count`. Nothing where it is too old to say so. */
  Refused kept(Visit& visit, const Deadline& deadline, std::vector<sockdoc_attach_kept>& first, std::uint64_t& count);
  /** Whether there is something that it waits for. */
  [[nodiscard]] bool keeps(Visit& visit, const Deadline& deadline);
  Refused undo(Visit& visit, std::span<const sockdoc_attach_site> sites, const Deadline& deadline);
  [[nodiscard]] std::optional<arch::Pending> pending() const;

 private:
  [[nodiscard]] std::optional<sockdoc_libsd_state> state() const;
  [[nodiscard]] Refusal refused() const;
  Refused call(Visit& visit, const char* name, std::initializer_list<std::uint64_t> arguments,
               const Deadline& deadline);

  Memory memory_;
  Image image_;
};

}  // namespace sockdoc::inject
