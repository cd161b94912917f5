#include "probes/bpf/assembler.h"

#include <cstddef>
#include <limits>

#include "probes/bpf/map.h"

namespace sockdoc::bpf {
namespace {

constexpr unsigned code_of(Size size) { return static_cast<unsigned>(size); }
constexpr unsigned code_of(Alu operation) { return static_cast<unsigned>(operation); }
constexpr unsigned code_of(If condition) { return static_cast<unsigned>(condition); }

bool fits_offset(std::ptrdiff_t offset) {
  return offset >= std::numeric_limits<std::int16_t>::min() && offset <= std::numeric_limits<std::int16_t>::max();
}

}  // namespace

Assembler::Label Assembler::label() {
  Label label;
  label.index_ = labels_.size();
  labels_.emplace_back();
  return label;
}

void Assembler::bind(Label label) {
  bound_twice_ |= labels_[label.index_].has_value();
  labels_[label.index_] = instructions_.size();
}

void Assembler::emit(unsigned code, Reg to, Reg from, int offset, std::int32_t immediate) {
  out_of_range_ |= !fits_offset(offset);
  bpf_insn instruction{};
  instruction.code = static_cast<__u8>(code);
  instruction.dst_reg = static_cast<__u8>(to) & 0xf;
  instruction.src_reg = static_cast<__u8>(from) & 0xf;
  instruction.off = static_cast<__s16>(offset);
  instruction.imm = immediate;
  instructions_.push_back(instruction);
}

void Assembler::emit_wide(Reg to, unsigned kind, std::uint32_t low, std::uint32_t high) {
  emit(BPF_LD | BPF_IMM | BPF_DW, to, static_cast<Reg>(kind), 0, static_cast<std::int32_t>(low));
  emit(0, Reg::r0, Reg::r0, 0, static_cast<std::int32_t>(high));
}

void Assembler::load(Size size, Reg to, Reg base, int offset) {
  emit(BPF_LDX | BPF_MEM | code_of(size), to, base, offset, 0);
}

void Assembler::store(Size size, Reg base, int offset, Reg from) {
  emit(BPF_STX | BPF_MEM | code_of(size), base, from, offset, 0);
}

void Assembler::store(Size size, Reg base, int offset, std::int32_t number) {
  emit(BPF_ST | BPF_MEM | code_of(size), base, Reg::r0, offset, number);
}

void Assembler::move(Reg to, Reg from) { emit(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }

void Assembler::move(Reg to, std::int32_t number) { emit(BPF_ALU64 | BPF_MOV | BPF_K, to, Reg::r0, 0, number); }

void Assembler::move_u64(Reg to, std::uint64_t number) {
  emit_wide(to, 0, static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32));
}

void Assembler::alu(Alu operation, Reg to, Reg from) { emit(BPF_ALU64 | code_of(operation) | BPF_X, to, from, 0, 0); }

void Assembler::alu(Alu operation, Reg to, std::int32_t number) {
  emit(BPF_ALU64 | code_of(operation) | BPF_K, to, Reg::r0, 0, number);
}

void Assembler::from_network(Reg reg, int bits) { emit(BPF_ALU | BPF_END | BPF_TO_BE, reg, Reg::r0, 0, bits); }

void Assembler::atomic_add(Size size, Reg base, int offset, Reg from) {
  emit(BPF_STX | BPF_ATOMIC | code_of(size), base, from, offset, BPF_ADD);
}

void Assembler::jump(Label to) {
  jumps_.push_back({instructions_.size(), to.index_});
  emit(BPF_JMP | BPF_JA, Reg::r0, Reg::r0, 0, 0);
}

void Assembler::jump_if(If condition, Reg reg, Reg other, Label to) {
  jumps_.push_back({instructions_.size(), to.index_});
  emit(BPF_JMP | code_of(condition) | BPF_X, reg, other, 0, 0);
}

void Assembler::jump_if(If condition, Reg reg, std::int32_t number, Label to) {
  jumps_.push_back({instructions_.size(), to.index_});
  emit(BPF_JMP | code_of(condition) | BPF_K, reg, Reg::r0, 0, number);
}

void Assembler::call(bpf_func_id helper) { emit(BPF_JMP | BPF_CALL, Reg::r0, Reg::r0, 0, helper); }

void Assembler::load_map(Reg to, const Map& map) {
  emit_wide(to, BPF_PSEUDO_MAP_FD, static_cast<std::uint32_t>(map.fd()), 0);
}

void Assembler::load_map_value(Reg to, const Map& array, std::uint32_t offset) {
  emit_wide(to, BPF_PSEUDO_MAP_VALUE, static_cast<std::uint32_t>(array.fd()), offset);
}

void Assembler::exit() { emit(BPF_JMP | BPF_EXIT, Reg::r0, Reg::r0, 0, 0); }

void Assembler::lookup(const Map& map, int key) {
  load_map(Reg::r1, map);
  move(Reg::r2, Reg::r10);
  alu(Alu::add, Reg::r2, key);
  call(BPF_FUNC_map_lookup_elem);
}

void Assembler::update(const Map& map, int key, int value, int flags) {
  load_map(Reg::r1, map);
  move(Reg::r2, Reg::r10);
  alu(Alu::add, Reg::r2, key);
  move(Reg::r3, Reg::r10);
  alu(Alu::add, Reg::r3, value);
  move(Reg::r4, flags);
  call(BPF_FUNC_map_update_elem);
}

void Assembler::remove(const Map& map, int key) {
  load_map(Reg::r1, map);
  move(Reg::r2, Reg::r10);
  alu(Alu::add, Reg::r2, key);
  call(BPF_FUNC_map_delete_elem);
}

void Assembler::read_kernel(int to, int bytes, Reg from, int offset) {
  move(Reg::r3, from);
  alu(Alu::add, Reg::r3, offset);
  move(Reg::r1, Reg::r10);
  alu(Alu::add, Reg::r1, to);
  move(Reg::r2, bytes);
  call(BPF_FUNC_probe_read_kernel);
}

Result<std::vector<bpf_insn>> Assembler::finish() const {
  if (bound_twice_) return Error{EINVAL, "BPF label bound twice"};
  if (out_of_range_) return Error{ERANGE, "BPF offset"};
  std::vector<bpf_insn> linked = instructions_;
  for (const Jump& jump : jumps_) {
    const auto target = labels_[jump.label];
    if (!target) return Error{EINVAL, "BPF label that is nowhere"};
    const std::ptrdiff_t distance = static_cast<std::ptrdiff_t>(*target) - static_cast<std::ptrdiff_t>(jump.at) - 1;
    if (!fits_offset(distance)) return Error{ERANGE, "BPF jump"};
    linked[jump.at].off = static_cast<__s16>(distance);
  }
  return linked;
}

}  // namespace sockdoc::bpf
