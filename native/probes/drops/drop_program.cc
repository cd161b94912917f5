#include "probes/drops/drop_program.h"

#include <algorithm>
#include <cstring>

#include "probes/bpf/assembler.h"

namespace sockdoc {
namespace {

using bpf::Alu;
using bpf::Assembler;
using bpf::If;
using bpf::Reg;
using bpf::Size;

constexpr const char* kTracepoint = "kfree_skb";

/**
 * count[{location, reason}] += 1. The key is built at r10-16, a first count at r10-24. An entry that another CPU adds
 * between our lookup and our insertion is looked up again; with a full map the drop is not counted.
 */
Assembler assemble(const DropArguments& arguments, const bpf::Map& map) {
  constexpr int kKey = -16;
  constexpr int kFirstCount = -24;
  constexpr int kArgumentBytes = sizeof(std::uint64_t);
  Assembler a;
  const auto add = a.label();
  const auto end = a.label();
  a.load(Size::u64, Reg::r2, Reg::r1, static_cast<int>(arguments.location) * kArgumentBytes);
  a.load(Size::u64, Reg::r3, Reg::r1, static_cast<int>(arguments.reason) * kArgumentBytes);
  a.store(Size::u64, Reg::r10, kKey, Reg::r2);
  a.store(Size::u32, Reg::r10, kKey + 8, Reg::r3);
  a.store(Size::u32, Reg::r10, kKey + 12, 0);
  a.lookup(map, kKey);
  a.jump_if(If::not_equal, Reg::r0, 0, add);
  a.store(Size::u64, Reg::r10, kFirstCount, 1);
  a.update(map, kKey, kFirstCount, BPF_NOEXIST);
  a.jump_if(If::equal, Reg::r0, 0, end);
  a.lookup(map, kKey);
  a.jump_if(If::equal, Reg::r0, 0, end);
  a.bind(add);
  a.move(Reg::r1, 1);
  a.atomic_add(Size::u64, Reg::r0, 0, Reg::r1);
  a.bind(end);
  a.move(Reg::r0, 0);
  a.exit();
  return a;
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
  auto map = bpf::Map::create({.type = BPF_MAP_TYPE_HASH,
                               .key_bytes = sizeof(DropKey),
                               .value_bytes = sizeof(std::uint64_t),
                               .max_entries = kMaxEntries,
                               .name = "sockdoc_drops"});
  if (!map) return map.error();
  auto program = bpf::Attached::attach({.name = "sockdoc_drops"}, assemble(arguments, *map), kTracepoint);
  if (!program) return program.error();
  return DropProgram(std::move(*map), std::move(*program));
}

std::vector<DropProgram::Count> DropProgram::counts() const {
  std::vector<Count> counts;
  map_.for_each([&](const std::byte* key, std::span<const std::byte> value) {
    Count count;
    std::memcpy(&count.key, key, sizeof count.key);
    std::memcpy(&count.count, value.data(), sizeof count.count);
    counts.push_back(count);
  });
  return counts;
}

}  // namespace sockdoc
