#include "probes/bpf/task_storage.h"

#include <linux/btf.h>

#include <cstring>

#include "probes/bpf/system_call.h"

namespace sockdoc::bpf {
namespace {

/** What the kernel wants to know of such a map: that the key is an int (a pidfd), and how large a value is. */
struct StorageTypes {
  btf_header header;
  btf_type key;
  std::uint32_t key_bits;
  btf_type word;
  std::uint32_t word_bits;
  btf_type value;
  btf_array value_array;
  char strings[16];
};

constexpr std::uint32_t kKeyType = 1;
constexpr std::uint32_t kWordType = 2;
constexpr std::uint32_t kValueType = 3;

StorageTypes describe(std::uint32_t words) {
  StorageTypes types;
  std::memset(&types, 0, sizeof types);
  types.header.magic = BTF_MAGIC;
  types.header.version = BTF_VERSION;
  types.header.hdr_len = sizeof types.header;
  types.header.type_len = offsetof(StorageTypes, strings) - sizeof types.header;
  types.header.str_off = types.header.type_len;
  types.header.str_len = sizeof types.strings;
  std::memcpy(types.strings, "\0int\0u64", 9);
  types.key.name_off = 1;
  types.key.info = BTF_KIND_INT << 24;
  types.key.size = sizeof(std::int32_t);
  types.key_bits = BTF_INT_SIGNED << 24 | 32;
  types.word.name_off = 5;
  types.word.info = BTF_KIND_INT << 24;
  types.word.size = sizeof(std::uint64_t);
  types.word_bits = 64;
  types.value.info = BTF_KIND_ARRAY << 24;
  types.value_array = {kWordType, kKeyType, words};
  return types;
}

Result<Fd> load_types(const StorageTypes& types) {
  bpf_attr attr = empty_attr();
  attr.btf = pointer(&types);
  attr.btf_size = sizeof types;
  Fd fd(static_cast<int>(system_call(BPF_BTF_LOAD, attr)));
  if (!fd.valid()) return errno_error("load type information of a BPF map");
  return fd;
}

}  // namespace

Result<Map> create_task_storage(std::uint32_t words, std::string_view name) {
  const auto types = load_types(describe(words));
  if (!types) return types.error();
  return Map::create({.type = BPF_MAP_TYPE_TASK_STORAGE,
                      .key_bytes = sizeof(std::int32_t),
                      .value_bytes = words * static_cast<std::uint32_t>(sizeof(std::uint64_t)),
                      .name = name,
                      .flags = BPF_F_NO_PREALLOC,
                      .types = {types->get(), kKeyType, kValueType}});
}

}  // namespace sockdoc::bpf
