#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>

#include "inject/deadline.h"
#include "inject/target/address.h"

namespace sockdoc::inject {

/** Bytes there, and where they are to come to, or from, here. */
struct Piece {
  Address at;
  void* here;
  std::size_t size;
};

/**
 * Reads and writes memory of another process, by a child of ours. A page of it can stay away for as long as somebody
 * likes (userfaultfd(2), a file of FUSE or NFS), and nothing but a kill gets a process out of waiting for it: so it is
 * not the tracer that waits. docs/decisions/0091-a-child-waits-for-the-targets-memory.md
 */
class Access {
 public:
  enum class Way : std::uint32_t {
    read,
    write,
    write_file  // by /proc/PID/mem
  };

  explicit Access(pid_t pid) : pid_(pid) {}
  ~Access() { end(); }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  /** How many bytes could be moved, one piece after the other; errno tells why not all. ETIMEDOUT: a page stays away.
   */
  std::size_t move(Way way, std::span<const Piece> pieces);

  /** By then it gives up on pages, and not only after its patience; later, that of taking back counts again. */
  void give_up_by(const Deadline& deadline) { deadline_ = deadline; }
  /** While threads are held: one of them may be who brings the page. */
  void hurry(bool on) { hurries_ = on; }

  /** Where the first page was wanted that stayed away: of a piece, where that begins. */
  [[nodiscard]] std::optional<Address> stalled() const { return stalled_; }

 private:
  struct Area;
  enum class End { answered, late, ended };
  std::size_t move_some(Way way, std::span<const Piece> pieces);
  std::size_t ask(Way way, std::span<const Piece> pieces, std::size_t size);
  bool begin();
  void end();
  End await(std::uint32_t turn);
  [[nodiscard]] Deadline patience() const;
  [[nodiscard]] bool wants_processor() const;

  pid_t pid_;
  pid_t child_ = 0;
  Area* area_ = nullptr;
  int stalls_ = 0;
  bool hurries_ = false;
  std::optional<Deadline> deadline_;
  std::optional<Address> stalled_;
};

}  // namespace sockdoc::inject
