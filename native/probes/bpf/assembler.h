#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"

namespace sockdoc::bpf {

class Map;

/** r0: result; r1 to r5: arguments, lost at a call; r6 to r9: kept; r10: end of the stack, which grows downwards. */
enum class Reg : std::uint8_t { r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10 };

/** How many bytes a load or store moves. */
enum class Size : std::uint8_t { u8 = BPF_B, u16 = BPF_H, u32 = BPF_W, u64 = BPF_DW };

/** On 64 bits, without sign. */
enum class Alu : std::uint8_t {
  add = BPF_ADD,
  sub = BPF_SUB,
  mul = BPF_MUL,
  div = BPF_DIV,
  mod = BPF_MOD,
  bit_and = BPF_AND,
  bit_or = BPF_OR,
  bit_xor = BPF_XOR,
  shift_left = BPF_LSH,
  shift_right = BPF_RSH,
};

/** Comparisons of 64 bits, without sign; `any_bit` is true where both have a bit in common. */
enum class If : std::uint8_t {
  equal = BPF_JEQ,
  not_equal = BPF_JNE,
  above = BPF_JGT,
  at_least = BPF_JGE,
  below = BPF_JLT,
  at_most = BPF_JLE,
  any_bit = BPF_JSET,
};

/**
 * Writes BPF instructions (Documentation/bpf/standardization/instruction-set.rst) with labels for jumps: what is
 * inserted later moves no target by hand. Nothing is checked here beyond labels and ranges; the kernel's verifier
 * judges the rest, and load() keeps what it says.
 */
class Assembler {
 public:
  /** A place that jumps go to; bound once, before finish(). */
  class Label {
    friend class Assembler;
    std::size_t index_ = 0;
  };

  [[nodiscard]] Label label();
  /** The label is here. */
  void bind(Label label);

  void load(Size size, Reg to, Reg base, int offset);
  void store(Size size, Reg base, int offset, Reg from);
  void store(Size size, Reg base, int offset, std::int32_t number);
  void move(Reg to, Reg from);
  void move(Reg to, std::int32_t number);
  void move_u64(Reg to, std::uint64_t number);
  void alu(Alu operation, Reg to, Reg from);
  void alu(Alu operation, Reg to, std::int32_t number);
  /** Turns the low `bits` (16, 32, 64) from network byte order to the host's; what is above becomes 0. */
  void from_network(Reg reg, int bits);
  /** *(base + offset) += from, as one step for all CPUs; u32 or u64. */
  void atomic_add(Size size, Reg base, int offset, Reg from);
  void jump(Label to);
  void jump_if(If condition, Reg reg, Reg other, Label to);
  void jump_if(If condition, Reg reg, std::int32_t number, Label to);
  /** Arguments in r1 to r5, result in r0. */
  void call(bpf_func_id helper);
  void load_map(Reg to, const Map& map);
  /** Address of the value of an array map with one entry, plus `offset`: no call, no check for null. */
  void load_map_value(Reg to, const Map& array, std::uint32_t offset);
  void exit();

  /** r1 = map, r2 = r10 + key, call map_lookup_elem: r0 is the value's address or 0. */
  void lookup(const Map& map, int key);
  /** The same with r3 = r10 + value, r4 = flags (BPF_ANY, BPF_NOEXIST, BPF_EXIST): r0 is 0 or a negative errno. */
  void update(const Map& map, int key, int value, int flags);
  void remove(const Map& map, int key);
  /**
   * Copies `bytes` of the kernel's memory at `from` + `offset` to r10 + `to` (bpf_probe_read_kernel): zeroes where that
   * may not be read. Needs a program of a GPL-compatible license (kGplCompatible).
   */
  void read_kernel(int to, int bytes, Reg from, int offset);

  /** EINVAL for a label that was never bound, or bound twice, and ERANGE for a jump or offset that is too far. */
  [[nodiscard]] Result<std::vector<bpf_insn>> finish() const;

 private:
  struct Jump {
    std::size_t at = 0;
    std::size_t label = 0;
  };
  void emit(unsigned code, Reg to, Reg from, int offset, std::int32_t immediate);
  void emit_wide(Reg to, unsigned kind, std::uint32_t low, std::uint32_t high);

  std::vector<bpf_insn> instructions_;
  std::vector<std::optional<std::size_t>> labels_;
  std::vector<Jump> jumps_;
  bool out_of_range_ = false;
  bool bound_twice_ = false;
};

}  // namespace sockdoc::bpf
