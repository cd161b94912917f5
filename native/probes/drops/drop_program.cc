#include "probes/drops/drop_program.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace sockdoc {
namespace {

long bpf(bpf_cmd command, bpf_attr& attr) { return ::syscall(__NR_bpf, command, &attr, sizeof attr); }

std::uint64_t pointer(const void* address) { return reinterpret_cast<std::uint64_t>(address); }

/** A zeroed bpf_attr: the kernel refuses bytes that it does not know unless they are zero. */
bpf_attr empty_attr() {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  return attr;
}

Result<Fd> create_map() {
  bpf_attr attr = empty_attr();
  attr.map_type = BPF_MAP_TYPE_HASH;
  attr.key_size = sizeof(DropKey);
  attr.value_size = sizeof(std::uint64_t);
  attr.max_entries = DropProgram::kMaxEntries;
  std::strncpy(attr.map_name, "sockdoc_drops", sizeof attr.map_name - 1);
  Fd map(static_cast<int>(bpf(BPF_MAP_CREATE, attr)));
  if (!map.valid()) return errno_error("create BPF map");
  return map;
}

bpf_insn instruction(unsigned code, unsigned to, unsigned from, int offset, int immediate) {
  bpf_insn insn{};
  insn.code = static_cast<__u8>(code);
  insn.dst_reg = static_cast<__u8>(to) & 0xf;
  insn.src_reg = static_cast<__u8>(from) & 0xf;
  insn.off = static_cast<__s16>(offset);
  insn.imm = immediate;
  return insn;
}

// The few forms that the program uses. R10 is the frame pointer, R0 the result, R1 to R5 arguments.
bpf_insn load(unsigned to, unsigned from, int offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_DW, to, from, offset, 0);
}
bpf_insn store(unsigned size, unsigned base, int offset, unsigned from) {
  return instruction(BPF_STX | BPF_MEM | size, base, from, offset, 0);
}
bpf_insn store_number(unsigned size, unsigned base, int offset, int number) {
  return instruction(BPF_ST | BPF_MEM | size, base, 0, offset, number);
}
bpf_insn move(unsigned to, unsigned from) { return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
bpf_insn set(unsigned to, int number) { return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number); }
bpf_insn add(unsigned to, int number) { return instruction(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, number); }
bpf_insn call(int helper) { return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
bpf_insn jump_if(unsigned condition, unsigned reg, int number, int skip) {
  return instruction(BPF_JMP | condition | BPF_K, reg, 0, skip, number);
}
bpf_insn atomic_add(unsigned base, int offset, unsigned from) {
  return instruction(BPF_STX | BPF_ATOMIC | BPF_DW, base, from, offset, BPF_ADD);
}

/**
 * count[{location, reason}] += 1. The key is built at fp-16, a first count at fp-24. An entry that another CPU adds
 * between our lookup and our insertion is looked up again; with a full map the drop is not counted.
 */
std::vector<bpf_insn> assemble(const DropArguments& arguments, int map) {
  constexpr int kKey = -16;
  constexpr int kValue = -24;
  const bpf_insn map_low = instruction(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map);
  const bpf_insn map_high = instruction(0, 0, 0, 0, 0);
  return {
      load(BPF_REG_2, BPF_REG_1, static_cast<int>(arguments.location * sizeof(std::uint64_t))),
      load(BPF_REG_3, BPF_REG_1, static_cast<int>(arguments.reason * sizeof(std::uint64_t))),
      store(BPF_DW, BPF_REG_10, kKey, BPF_REG_2),
      store(BPF_W, BPF_REG_10, kKey + 8, BPF_REG_3),
      store_number(BPF_W, BPF_REG_10, kKey + 12, 0),
      map_low,
      map_high,
      move(BPF_REG_2, BPF_REG_10),
      add(BPF_REG_2, kKey),
      call(BPF_FUNC_map_lookup_elem),
      jump_if(BPF_JNE, BPF_REG_0, 0, 16),  // to the addition
      store_number(BPF_DW, BPF_REG_10, kValue, 1),
      map_low,
      map_high,
      move(BPF_REG_2, BPF_REG_10),
      add(BPF_REG_2, kKey),
      move(BPF_REG_3, BPF_REG_10),
      add(BPF_REG_3, kValue),
      set(BPF_REG_4, BPF_NOEXIST),
      call(BPF_FUNC_map_update_elem),
      jump_if(BPF_JEQ, BPF_REG_0, 0, 8),  // to the end
      map_low,
      map_high,
      move(BPF_REG_2, BPF_REG_10),
      add(BPF_REG_2, kKey),
      call(BPF_FUNC_map_lookup_elem),
      jump_if(BPF_JEQ, BPF_REG_0, 0, 2),  // to the end
      set(BPF_REG_1, 1),
      atomic_add(BPF_REG_0, 0, BPF_REG_1),
      set(BPF_REG_0, 0),
      instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
}

Result<Fd> load_program(const DropArguments& arguments, int map) {
  const std::vector<bpf_insn> instructions = assemble(arguments, map);
  bpf_attr attr = empty_attr();
  attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  attr.insns = pointer(instructions.data());
  attr.insn_cnt = static_cast<__u32>(instructions.size());
  attr.license = pointer("");  // no helper that is for GPL programs alone
  std::strncpy(attr.prog_name, "sockdoc_drops", sizeof attr.prog_name - 1);
  Fd program(static_cast<int>(bpf(BPF_PROG_LOAD, attr)));
  if (!program.valid()) return errno_error("load BPF program");
  return program;
}

Result<Fd> attach_program(int program) {
  bpf_attr attr = empty_attr();
  attr.raw_tracepoint.name = pointer("kfree_skb");
  attr.raw_tracepoint.prog_fd = static_cast<__u32>(program);
  Fd link(static_cast<int>(bpf(BPF_RAW_TRACEPOINT_OPEN, attr)));
  if (!link.valid()) return errno_error("attach to skb:kfree_skb");
  return link;
}

}  // namespace

Result<DropArguments> drop_arguments(const Btf& btf) {
  const auto types = btf.typedef_parameters("btf_trace_kfree_skb");
  if (!types || types->empty()) return Error{EOPNOTSUPP, "tracepoint skb:kfree_skb"};
  // The first parameter is the tracepoint's own data, which programs do not see.
  const auto first = types->begin() + 1;
  const auto location = std::find(first, types->end(), "void *");
  const auto reason = std::find(first, types->end(), "enum skb_drop_reason");
  if (location == types->end() || reason == types->end()) return Error{EOPNOTSUPP, "reason of skb:kfree_skb"};
  return DropArguments{static_cast<unsigned>(location - first), static_cast<unsigned>(reason - first)};
}

Result<DropProgram> DropProgram::attach(const DropArguments& arguments) {
  auto map = create_map();
  if (!map) return map.error();
  auto program = load_program(arguments, map->get());
  if (!program) return program.error();
  auto link = attach_program(program->get());
  if (!link) return link.error();
  return DropProgram(std::move(*map), std::move(*program), std::move(*link));
}

std::vector<DropProgram::Count> DropProgram::counts() const {
  std::vector<Count> counts;
  DropKey key{};
  DropKey next{};
  bool first = true;
  while (counts.size() < kMaxEntries) {
    bpf_attr walk = empty_attr();
    walk.map_fd = static_cast<__u32>(map_.get());
    walk.key = first ? 0 : pointer(&key);
    walk.next_key = pointer(&next);
    if (bpf(BPF_MAP_GET_NEXT_KEY, walk) != 0) break;
    std::uint64_t value = 0;
    bpf_attr read = empty_attr();
    read.map_fd = walk.map_fd;
    read.key = pointer(&next);
    read.value = pointer(&value);
    if (bpf(BPF_MAP_LOOKUP_ELEM, read) == 0) counts.push_back({next, value});
    key = next;
    first = false;
  }
  return counts;
}

}  // namespace sockdoc
