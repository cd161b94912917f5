#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "preload/patch/image.h"

namespace sockdoc::preload {

/** An entry to patch: calls of `function` come to `hook`; `original` is set to what does the function's own work. */
struct Request {
  const char* name = "";
  Function function;
  void* hook = nullptr;
  void** original = nullptr;
};

/** Why nothing was patched. `what` is a constant; `name` the function it is about, or empty; `error` an errno or 0. */
struct [[nodiscard]] Refusal {
  const char* what = nullptr;
  const char* name = "";
  int error = 0;

  [[nodiscard]] bool refused() const { return what != nullptr; }
};

inline constexpr std::size_t kJump = 5;    // jmp rel32
inline constexpr std::size_t kMoved = 32;  // bytes of instructions that a jump can displace, with room
inline constexpr std::size_t kMaxSites = 128;

/** One patched entry, as an injector has to know it. */
struct Site {
  std::uint8_t* at = nullptr;   // where the jump goes: behind endbr64 where there is one
  std::uint8_t displaced = 0;   // bytes of whole instructions from `at` on
  bool syscall_inside = false;  // a thread in that system call would come back to the middle of the jump
  std::uint8_t before[kJump] = {};
  std::uint8_t after[kJump] = {};
  const std::uint8_t* trampoline = nullptr;
};

/**
 * Who writes code. `own`: we, by mprotect(2), which systemd's MemoryDenyWriteExecute= and PR_SET_MDWE forbid. `tracer`:
 * who attaches, through ptrace(2), for which memory need not be writable: trampolines between prepare() and apply(),
 * entries before apply() and after undo().
 */
enum class Writer { own, tracer };

/**
 * Patches entries of functions so that they lead to hooks, all or none of them, and takes that back.
 *
 * prepare() maps the trampolines and sets the originals; nothing of the functions is touched. apply() and undo() only
 * write: they allocate nothing, take no lock, and call nothing but mprotect(2); no other thread may run meanwhile, or
 * stand within the bytes that the jump takes. Trampolines stay mapped and usable for ever, since a thread may be
 * in one.
 */
class Patcher {
 public:
  void write_by(Writer writer) { writer_ = writer; }
  Refusal prepare(std::span<const Request> requests);
  Refusal apply();
  Refusal undo();

  [[nodiscard]] bool applied() const { return applied_; }
  /** The code of all trampolines, and where it belongs: the same place unless a tracer writes it. */
  [[nodiscard]] std::span<const std::uint8_t> code() const { return {draft_, used_}; }
  [[nodiscard]] const std::uint8_t* place() const { return block_; }
  [[nodiscard]] std::span<const Site> sites() const { return {sites_, count_}; }

 private:
  Refusal map_block(const Request& near);
  Refusal map_draft();
  Refusal close_block() const;
  Refusal plan(const Request& request);
  Refusal write(bool patched);

  Site sites_[kMaxSites];
  std::size_t count_ = 0;
  bool applied_ = false;
  Writer writer_ = Writer::own;
  std::uint8_t* block_ = nullptr;  // the trampolines
  std::uint8_t* draft_ = nullptr;  // what is to stand there: the block itself where we write it
  std::size_t used_ = 0;
};

/** Copies whole instructions from `from`, at least kJump bytes of them, to `to`, so that they do the same at address
 * `at`. */
struct Relocated {
  std::uint8_t displaced = 0;  // 0: refused, see `why`
  std::uint8_t written = 0;
  bool goes_on = true;  // false when the last one never comes back here
  bool syscall_inside = false;
  const char* why = nullptr;
};
[[nodiscard]] Relocated relocate(std::span<const std::uint8_t> from, std::span<std::uint8_t, kMoved> to,
                                 std::uintptr_t at);

/** True when an instruction of `function` jumps to between its bytes `from` + 1 and `from` + `length` - 1. */
[[nodiscard]] bool jumps_into(const Function& function, std::size_t from, std::size_t length);

/** True when the function makes a system call by itself, not only through functions that it calls or jumps to. */
[[nodiscard]] bool makes_system_call(const Function& function);

/**
 * The function that begins with system call `number`, reached from `from` by direct calls and jumps within `image`; for
 * functions that libc does not export.
 */
[[nodiscard]] Function find_system_call(const Image& image, const Function& from, std::uint32_t number);

}  // namespace sockdoc::preload
