#include "probes/bpf/btf.h"

#include <linux/btf.h>

#include <cstring>
#include <limits>
#include <type_traits>

#include "base/procfs.h"

namespace sockdoc {
namespace {

// Chains of typedef, const and pointer are short; a longer one is a loop.
constexpr int kMaxDepth = 32;
// Anonymous structs within each other: the kernel has 4 or so; a damaged file must not make us walk long.
constexpr int kMaxNesting = 8;
constexpr int kMaxMembers = 10'000;
// Far above task_struct, the largest that is looked into.
constexpr std::uint64_t kMaxStructBytes = 1u << 20;

template <typename T>
std::optional<T> read_at(std::string_view data, std::size_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > data.size() || data.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

/** Bytes behind the fixed part of a type; nothing for a kind that is not known. */
std::optional<std::size_t> details_bytes(unsigned kind, std::size_t count) {
  switch (kind) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
      return sizeof(std::uint32_t);
    case BTF_KIND_ARRAY:
      return sizeof(btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return count * sizeof(btf_member);
    case BTF_KIND_ENUM:
      return count * sizeof(btf_enum);
    case BTF_KIND_ENUM64:
      return count * sizeof(btf_enum64);
    case BTF_KIND_FUNC_PROTO:
      return count * sizeof(btf_param);
    case BTF_KIND_DATASEC:
      return count * sizeof(btf_var_secinfo);
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG:
      return 0;
    default:
      return std::nullopt;
  }
}

bool is_compound(unsigned kind) { return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION; }

std::string without_prefix(std::string_view name, std::string_view prefix) {
  return std::string(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
}

}  // namespace

Result<Btf> Btf::parse(std::string data) {
  auto keep = std::make_shared<const std::string>(std::move(data));
  const std::string_view view = *keep;
  return parse(view, std::move(keep));
}

Result<Btf> Btf::parse(std::string_view data, std::shared_ptr<const void> keep) {
  Btf btf;
  btf.keep_ = std::move(keep);
  btf.data_ = data;
  const auto header = read_at<btf_header>(btf.data_, 0);
  if (!header || header->magic != BTF_MAGIC || header->hdr_len < sizeof(btf_header)) return Error{EBADMSG, "BTF"};
  const std::uint64_t size = btf.data_.size();
  const std::uint64_t types = std::uint64_t{header->hdr_len} + header->type_off;
  const std::uint64_t strings = std::uint64_t{header->hdr_len} + header->str_off;
  if (types + header->type_len > size || strings + header->str_len > size) return Error{EBADMSG, "BTF"};
  if (size > std::numeric_limits<std::uint32_t>::max()) return Error{EBADMSG, "BTF"};
  btf.strings_ = strings;
  btf.strings_length_ = header->str_len;
  if (!btf.index_types(types, types + header->type_len)) return Error{EBADMSG, "BTF"};
  return btf;
}

bool Btf::index_types(std::size_t from, std::size_t end) {
  types_.reserve((end - from) / (2 * sizeof(btf_type)));
  types_.push_back(0);
  while (from < end) {
    const auto fixed = read_at<btf_type>(data_, from);
    if (!fixed || end - from < sizeof(btf_type)) return false;
    const auto bytes = details_bytes(BTF_INFO_KIND(fixed->info), BTF_INFO_VLEN(fixed->info));
    if (!bytes || *bytes > end - from - sizeof(btf_type)) return false;
    types_.push_back(static_cast<std::uint32_t>(from));
    from += sizeof(btf_type) + *bytes;
  }
  return true;
}

std::optional<Btf::Type> Btf::type(std::uint32_t id) const {
  if (id == 0) return Type{};
  if (id >= types_.size()) return std::nullopt;
  const auto fixed = read_at<btf_type>(data_, types_[id]);
  if (!fixed) return std::nullopt;
  return Type{fixed->name_off, fixed->info, fixed->type, types_[id] + sizeof(btf_type)};
}

std::optional<std::uint32_t> Btf::id(std::string_view name, unsigned kind) const {
  for (std::uint32_t candidate = 1; candidate < types_.size(); ++candidate) {
    const auto fixed = read_at<btf_type>(data_, types_[candidate]);
    if (fixed && BTF_INFO_KIND(fixed->info) == kind && is_named(fixed->name_off, name)) return candidate;
  }
  return std::nullopt;
}

std::optional<Btf::Type> Btf::find(std::string_view name, unsigned kind) const {
  const auto found = id(name, kind);
  return found ? type(*found) : std::nullopt;
}

bool Btf::is_named(std::uint32_t offset, std::string_view name) const {
  if (offset >= strings_length_ || strings_length_ - offset <= name.size()) return false;
  const char* at = data_.data() + strings_ + offset;
  return std::memcmp(at, name.data(), name.size()) == 0 && at[name.size()] == '\0';
}

std::string_view Btf::string_at(std::uint32_t offset) const {
  if (offset >= strings_length_) return {};
  const std::string_view rest = data_.substr(strings_ + offset, strings_length_ - offset);
  return rest.substr(0, rest.find('\0'));
}

std::map<std::int64_t, std::string> Btf::enum_names(std::string_view name, std::string_view prefix) const {
  std::map<std::int64_t, std::string> names;
  if (const auto found = find(name, BTF_KIND_ENUM)) {
    for (std::size_t i = 0; i < BTF_INFO_VLEN(found->info); ++i) {
      const auto value = read_at<btf_enum>(data_, found->details + i * sizeof(btf_enum));
      if (value) names[value->val] = without_prefix(string_at(value->name_off), prefix);
    }
  } else if (const auto wide = find(name, BTF_KIND_ENUM64)) {
    for (std::size_t i = 0; i < BTF_INFO_VLEN(wide->info); ++i) {
      const auto value = read_at<btf_enum64>(data_, wide->details + i * sizeof(btf_enum64));
      if (!value) continue;
      const auto number = std::uint64_t{value->val_hi32} << 32 | value->val_lo32;
      names[static_cast<std::int64_t>(number)] = without_prefix(string_at(value->name_off), prefix);
    }
  }
  return names;
}

std::optional<std::vector<std::string>> Btf::typedef_parameters(std::string_view name) const {
  const auto found = find(name, BTF_KIND_TYPEDEF);
  const auto pointer = found ? type(found->size_or_type) : std::nullopt;
  if (!pointer || BTF_INFO_KIND(pointer->info) != BTF_KIND_PTR) return std::nullopt;
  const auto function = type(pointer->size_or_type);
  if (!function || BTF_INFO_KIND(function->info) != BTF_KIND_FUNC_PROTO) return std::nullopt;
  std::vector<std::string> parameters;
  for (std::size_t i = 0; i < BTF_INFO_VLEN(function->info); ++i) {
    const auto parameter = read_at<btf_param>(data_, function->details + i * sizeof(btf_param));
    if (!parameter) return std::nullopt;
    parameters.push_back(type_name(parameter->type));
  }
  return parameters;
}

std::string Btf::type_name(std::uint32_t id) const {
  std::string suffix;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const auto current = type(id);
    if (!current) return {};
    const std::string name(string_at(current->name));
    switch (BTF_INFO_KIND(current->info)) {
      case BTF_KIND_UNKN:  // the entry of id 0
        return "void" + suffix;
      case BTF_KIND_PTR:
        suffix = suffix.empty() ? " *" : suffix + "*";
        id = current->size_or_type;
        break;
      case BTF_KIND_CONST:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_TYPE_TAG:
        id = current->size_or_type;
        break;
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
        return "enum " + name + suffix;
      case BTF_KIND_STRUCT:
        return "struct " + name + suffix;
      default:
        return name + suffix;
    }
  }
  return {};
}

std::optional<std::uint32_t> Btf::without_qualifiers(std::uint32_t id) const {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const auto current = type(id);
    if (!current) return std::nullopt;
    switch (BTF_INFO_KIND(current->info)) {
      case BTF_KIND_TYPEDEF:
      case BTF_KIND_CONST:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG:
        id = current->size_or_type;
        break;
      default:
        return id;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Btf::bytes_of(std::uint32_t id) const {
  std::uint64_t elements = 1;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const auto plain = without_qualifiers(id);
    const auto current = plain ? type(*plain) : std::nullopt;
    if (!current) return std::nullopt;
    switch (BTF_INFO_KIND(current->info)) {
      case BTF_KIND_INT:
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
      case BTF_KIND_FLOAT:
        return elements * current->size_or_type;
      case BTF_KIND_PTR:
        return elements * sizeof(void*);
      case BTF_KIND_ARRAY: {
        const auto array = read_at<btf_array>(data_, current->details);
        if (!array || elements * array->nelems > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
        elements *= array->nelems;
        id = array->type;
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Btf::Found> Btf::find_member(const Type& in, std::string_view name, int depth, int& budget) const {
  if (depth > kMaxNesting || name.empty()) return std::nullopt;
  const bool has_bit_fields = BTF_INFO_KFLAG(in.info) != 0;
  for (std::size_t i = 0; i < BTF_INFO_VLEN(in.info); ++i) {
    const auto member = read_at<btf_member>(data_, in.details + i * sizeof(btf_member));
    if (!member || --budget < 0) return std::nullopt;
    const std::uint32_t bits = has_bit_fields ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset;
    const bool bit_field = bits % 8 != 0 || (has_bit_fields && BTF_MEMBER_BITFIELD_SIZE(member->offset) != 0);
    if (is_named(member->name_off, name)) return Found{bits / 8, member->type, bit_field};
    if (!is_named(member->name_off, "")) continue;
    const auto plain = without_qualifiers(member->type);
    const auto inner = plain ? type(*plain) : std::nullopt;
    if (!inner || !is_compound(BTF_INFO_KIND(inner->info))) continue;
    if (auto found = find_member(*inner, name, depth + 1, budget)) {
      found->offset += bits / 8;
      return found;
    }
  }
  return std::nullopt;
}

std::optional<Btf::Member> Btf::member(std::string_view name, std::string_view path) const {
  auto current = find(name, BTF_KIND_STRUCT);
  if (!current) current = find(name, BTF_KIND_UNION);
  if (path.ends_with('.')) return std::nullopt;
  std::uint64_t offset = 0;
  int budget = kMaxMembers;
  while (current && is_compound(BTF_INFO_KIND(current->info))) {
    const auto found = find_member(*current, take_until(path, '.'), 0, budget);
    if (!found || found->bit_field) return std::nullopt;
    offset += found->offset;
    if (path.empty()) {
      const auto bytes = bytes_of(found->type);
      if (!bytes || offset + *bytes > kMaxStructBytes) return std::nullopt;
      return Member{static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(*bytes)};
    }
    const auto plain = without_qualifiers(found->type);
    current = plain ? type(*plain) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace sockdoc
