#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace sockdoc::bpf {

/** Type information that some kinds of maps must have: a descriptor of BPF_BTF_LOAD, and ids in it. */
struct MapTypes {
  int fd = 0;
  std::uint32_t key = 0;
  std::uint32_t value = 0;
};

struct MapSpec {
  bpf_map_type type = BPF_MAP_TYPE_HASH;
  std::uint32_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::uint32_t max_entries = 0;
  /** At most 15 characters; shown by bpftool. */
  std::string_view name;
  /** BPF_F_…, as BPF_MAP_CREATE takes them. */
  std::uint32_t flags = 0;
  MapTypes types = {};
};

/** Creates the map; EPERM without CAP_BPF. */
Result<Fd> create_map(const MapSpec& spec);

/** CPUs that a per-CPU map has values of (/sys/devices/system/cpu/possible). */
Result<unsigned> possible_cpus();

/** A map of the kernel, with its keys and values as bytes. Freed when the last program and descriptor are closed. */
class Map {
 public:
  /** Array, hash, LRU hash and their per-CPU kinds. */
  static Result<Map> create(const MapSpec& spec);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::uint32_t key_bytes() const { return key_bytes_; }
  /** Of what read() gives: of a per-CPU map one value per possible CPU, each rounded up to 8 bytes. */
  [[nodiscard]] std::size_t read_bytes() const { return stride_ * copies_; }
  [[nodiscard]] std::size_t stride() const { return stride_; }
  [[nodiscard]] std::size_t copies() const { return copies_; }

  /** False when there is no such entry. `value` has read_bytes(). */
  bool read(const void* key, std::span<std::byte> value) const;
  /** `value` has read_bytes(). `flags`: BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
  Status write(const void* key, std::span<const std::byte> value, std::uint64_t flags = BPF_ANY) const;
  /** False when there was no such entry. */
  bool remove(const void* key) const;
  /**
   * Visits every entry once, at most max_entries; one that is removed meanwhile may be missed, and so may be what
   * follows it, or the walk begins anew and visits some twice: for maps that change, remove nothing while it runs.
   */
  void for_each(const std::function<void(const std::byte* key, std::span<const std::byte> value)>& visit) const;

  /** One value of a map that is not per-CPU. */
  template <typename Value, typename Key>
  [[nodiscard]] std::optional<Value> get(const Key& key) const {
    static_assert(std::is_trivially_copyable_v<Value> && std::is_trivially_copyable_v<Key>);
    std::vector<std::byte> bytes(read_bytes());
    if (sizeof key != key_bytes_ || bytes.size() < sizeof(Value) || !read(&key, bytes)) return std::nullopt;
    Value value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  /** The values of all possible CPUs, by number; empty when there is no such entry. */
  template <typename Value, typename Key>
  [[nodiscard]] std::vector<Value> get_per_cpu(const Key& key) const {
    static_assert(std::is_trivially_copyable_v<Value> && std::is_trivially_copyable_v<Key>);
    std::vector<std::byte> bytes(read_bytes());
    if (sizeof key != key_bytes_ || stride_ < sizeof(Value) || !read(&key, bytes)) return {};
    std::vector<Value> values(copies_);
    for (std::size_t cpu = 0; cpu < copies_; ++cpu) {
      std::memcpy(&values[cpu], bytes.data() + cpu * stride_, sizeof(Value));
    }
    return values;
  }

  /** Sets one value of a map that is not per-CPU. */
  template <typename Key, typename Value>
  Status put(const Key& key, const Value& value, std::uint64_t flags = BPF_ANY) const {
    static_assert(std::is_trivially_copyable_v<Value> && std::is_trivially_copyable_v<Key>);
    if (sizeof key != key_bytes_ || sizeof value != read_bytes()) return Error{EINVAL, "BPF map's key or value"};
    return write(&key, std::as_bytes(std::span(&value, 1)), flags);
  }

 private:
  Map(Fd fd, const MapSpec& spec, std::size_t stride, std::size_t copies)
      : fd_(std::move(fd)),
        key_bytes_(spec.key_bytes),
        max_entries_(spec.max_entries),
        stride_(stride),
        copies_(copies) {}

  Fd fd_;
  std::uint32_t key_bytes_ = 0;
  std::uint32_t max_entries_ = 0;
  std::size_t stride_ = 0;
  std::size_t copies_ = 1;
};

}  // namespace sockdoc::bpf
