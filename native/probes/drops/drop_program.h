#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "probes/bpf/btf.h"
#include "probes/bpf/map.h"
#include "probes/bpf/program.h"

namespace sockdoc {

/** What the counts are kept by. The layout of the map's keys. */
struct DropKey {
  std::uint64_t location = 0;  // return address in the function that let go of the packet
  std::uint32_t reason = 0;    // enum skb_drop_reason
  std::uint32_t padding = 0;
};

/** Where the raw tracepoint skb:kfree_skb has its arguments. */
struct DropArguments {
  unsigned location = 0;
  unsigned reason = 0;
};

/** From the prototype of this kernel's tracepoint; EOPNOTSUPP where it gives no reason (before 5.17). */
Result<DropArguments> drop_arguments(const Btf& btf);

/**
 * A BPF program on the raw tracepoint skb:kfree_skb that counts by reason and place in a hash map of the kernel. Its
 * cost is two lookups' worth of instructions (well below a microsecond) per dropped packet, nothing per packet that is
 * not dropped, and 4096 preallocated entries of memory. It runs as long as the object lives: closing the descriptors
 * detaches and frees all of it, also when the process dies.
 *
 * Needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN.
 */
class DropProgram {
 public:
  static constexpr std::uint32_t kMaxEntries = 4096;

  static Result<DropProgram> attach(const DropArguments& arguments);

  struct Count {
    DropKey key;
    std::uint64_t count = 0;
  };
  [[nodiscard]] std::vector<Count> counts() const;

 private:
  DropProgram(bpf::Map map, bpf::Attached program) : map_(std::move(map)), program_(std::move(program)) {}
  bpf::Map map_;
  bpf::Attached program_;
};

}  // namespace sockdoc
