#include "probes/bpf/map.h"

#include <fcntl.h>

#include <array>

#include "base/procfs.h"
#include "probes/bpf/system_call.h"

namespace sockdoc::bpf {
namespace {

bool is_per_cpu(bpf_map_type type) {
  return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

}  // namespace

Result<Fd> create_map(const MapSpec& spec) {
  bpf_attr attr = empty_attr();
  attr.map_type = spec.type;
  attr.key_size = spec.key_bytes;
  attr.value_size = spec.value_bytes;
  attr.max_entries = spec.max_entries;
  attr.map_flags = spec.flags;
  attr.btf_fd = static_cast<__u32>(spec.types.fd);
  attr.btf_key_type_id = spec.types.key;
  attr.btf_value_type_id = spec.types.value;
  set_name(attr.map_name, spec.name);
  Fd map(static_cast<int>(system_call(BPF_MAP_CREATE, attr)));
  if (!map.valid()) return errno_error("create BPF map");
  return map;
}

Result<unsigned> possible_cpus() {
  constexpr const char* kPath = "/sys/devices/system/cpu/possible";
  std::array<char, 256> buffer;
  const auto text = read_small(AT_FDCWD, kPath, buffer);
  if (!text) return errno_error(kPath);
  // "0-3" or "0,2-7": values are there for every number up to the last one.
  const std::size_t last = text->find_last_of(",-");
  const auto number = parse_number<unsigned>(text->substr(last == std::string_view::npos ? 0 : last + 1));
  if (!number) return Error{EBADMSG, kPath};
  return *number + 1;
}

Result<Map> Map::create(const MapSpec& spec) {
  std::size_t copies = 1;
  std::size_t stride = spec.value_bytes;
  if (is_per_cpu(spec.type)) {
    const auto cpus = possible_cpus();
    if (!cpus) return cpus.error();
    copies = *cpus;
    stride = (stride + 7) / 8 * 8;
  }
  auto fd = create_map(spec);
  if (!fd) return fd.error();
  return Map(std::move(*fd), spec, stride, copies);
}

bool Map::read(const void* key, std::span<std::byte> value) const {
  if (value.size() < read_bytes()) return false;
  bpf_attr attr = empty_attr();
  attr.map_fd = static_cast<__u32>(fd());
  attr.key = pointer(key);
  attr.value = pointer(value.data());
  return system_call(BPF_MAP_LOOKUP_ELEM, attr) == 0;
}

Status Map::write(const void* key, std::span<const std::byte> value, std::uint64_t flags) const {
  if (value.size() != read_bytes()) return Error{EINVAL, "BPF map's value"};
  bpf_attr attr = empty_attr();
  attr.map_fd = static_cast<__u32>(fd());
  attr.key = pointer(key);
  attr.value = pointer(value.data());
  attr.flags = flags;
  if (system_call(BPF_MAP_UPDATE_ELEM, attr) != 0) return errno_error("write into BPF map");
  return Done{};
}

bool Map::remove(const void* key) const {
  bpf_attr attr = empty_attr();
  attr.map_fd = static_cast<__u32>(fd());
  attr.key = pointer(key);
  return system_call(BPF_MAP_DELETE_ELEM, attr) == 0;
}

void Map::for_each(const std::function<void(const std::byte*, std::span<const std::byte>)>& visit) const {
  std::vector<std::byte> key(key_bytes_);
  std::vector<std::byte> next(key_bytes_);
  std::vector<std::byte> value(read_bytes());
  for (std::uint32_t seen = 0; seen < max_entries_; ++seen) {
    bpf_attr walk = empty_attr();
    walk.map_fd = static_cast<__u32>(fd());
    walk.key = seen == 0 ? 0 : pointer(key.data());
    walk.next_key = pointer(next.data());
    if (system_call(BPF_MAP_GET_NEXT_KEY, walk) != 0) return;
    key.swap(next);
    if (read(key.data(), value)) visit(key.data(), value);
  }
}

}  // namespace sockdoc::bpf
