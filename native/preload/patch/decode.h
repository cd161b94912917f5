#pragma once

#include <cstdint>
#include <span>

namespace sockdoc::preload {

/** What an instruction does to the flow of control, as far as moving it elsewhere cares. */
enum class Flow : std::uint8_t {
  on,           // goes on behind itself, whatever it does in between (a system call too)
  jump,         // jmp rel8 / rel32
  conditional,  // jcc rel8 / rel32
  loop,         // loop, loope, loopne, jrcxz: rel8 only
  call,         // call rel32
  end,          // ret, indirect jmp, ud2, hlt, int3: nothing behind it is reached from here
};

/** One x86-64 instruction, as far as is needed to find its end and to move it. */
struct Instruction {
  std::uint8_t length = 0;
  Flow flow = Flow::on;
  std::uint8_t relative_at = 0;    // where its rel8, rel32 or RIP-relative disp32 stands; 0: it has none
  std::uint8_t relative_size = 0;  // 1 or 4
  bool syscall = false;
  std::uint8_t condition = 0;  // of a conditional jump: the low four bits of its opcode

  [[nodiscard]] bool valid() const { return length != 0; }
  [[nodiscard]] bool relative() const { return relative_at != 0; }
};

/**
 * Decodes the instruction at the beginning of `code`. Not valid() for what 64-bit mode does not have, for what this
 * decoder does not know (XOP, SSE4a's extrq), and where `code` ends too early: callers refuse, they never guess.
 * Source: Intel SDM volume 2, appendix A. The tests compare it with objdump over all of libc.
 */
[[nodiscard]] Instruction decode(std::span<const std::uint8_t> code);

/** Where a relative instruction that stands at `at` points. */
[[nodiscard]] std::uintptr_t target_of(const Instruction& instruction, const std::uint8_t* at);

}  // namespace sockdoc::preload
