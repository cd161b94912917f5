#include "probes/drops/btf.h"

#include <linux/btf.h>

#include <cstring>
#include <type_traits>

namespace sockdoc {
namespace {

// Chains of typedef, const and pointer are short; a longer one is a loop.
constexpr int kMaxDepth = 32;

template <typename T>
std::optional<T> read_at(const std::string& data, std::size_t offset) {
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

std::string without_prefix(std::string_view name, std::string_view prefix) {
  return std::string(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
}

}  // namespace

Result<Btf> Btf::parse(std::string data) {
  Btf btf;
  btf.data_ = std::move(data);
  const auto header = read_at<btf_header>(btf.data_, 0);
  if (!header || header->magic != BTF_MAGIC || header->hdr_len < sizeof(btf_header)) return Error{EBADMSG, "BTF"};
  const std::uint64_t size = btf.data_.size();
  const std::uint64_t types = std::uint64_t{header->hdr_len} + header->type_off;
  const std::uint64_t strings = std::uint64_t{header->hdr_len} + header->str_off;
  if (types + header->type_len > size || strings + header->str_len > size) return Error{EBADMSG, "BTF"};
  btf.strings_ = strings;
  btf.strings_length_ = header->str_len;
  if (!btf.index_types(types, types + header->type_len)) return Error{EBADMSG, "BTF"};
  return btf;
}

bool Btf::index_types(std::size_t from, std::size_t end) {
  types_.reserve((end - from) / (2 * sizeof(btf_type)));
  types_.push_back({});
  while (from < end) {
    const auto fixed = read_at<btf_type>(data_, from);
    if (!fixed || end - from < sizeof(btf_type)) return false;
    from += sizeof(btf_type);
    const auto bytes = details_bytes(BTF_INFO_KIND(fixed->info), BTF_INFO_VLEN(fixed->info));
    if (!bytes || *bytes > end - from) return false;
    types_.push_back({fixed->name_off, fixed->info, fixed->type, from});
    from += *bytes;
  }
  return true;
}

const Btf::Type* Btf::type(std::uint32_t id) const { return id < types_.size() ? &types_[id] : nullptr; }

const Btf::Type* Btf::find(std::string_view name, unsigned kind) const {
  for (const Type& candidate : types_) {
    if (BTF_INFO_KIND(candidate.info) == kind && string_at(candidate.name) == name) return &candidate;
  }
  return nullptr;
}

std::string_view Btf::string_at(std::uint32_t offset) const {
  if (offset >= strings_length_) return {};
  const std::string_view rest = std::string_view(data_).substr(strings_ + offset, strings_length_ - offset);
  return rest.substr(0, rest.find('\0'));
}

std::map<std::int64_t, std::string> Btf::enum_names(std::string_view name, std::string_view prefix) const {
  std::map<std::int64_t, std::string> names;
  if (const Type* found = find(name, BTF_KIND_ENUM)) {
    for (std::size_t i = 0; i < BTF_INFO_VLEN(found->info); ++i) {
      const auto value = read_at<btf_enum>(data_, found->details + i * sizeof(btf_enum));
      if (value) names[value->val] = without_prefix(string_at(value->name_off), prefix);
    }
  } else if (const Type* wide = find(name, BTF_KIND_ENUM64)) {
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
  const Type* found = find(name, BTF_KIND_TYPEDEF);
  const Type* pointer = found == nullptr ? nullptr : type(found->size_or_type);
  if (pointer == nullptr || BTF_INFO_KIND(pointer->info) != BTF_KIND_PTR) return std::nullopt;
  const Type* function = type(pointer->size_or_type);
  if (function == nullptr || BTF_INFO_KIND(function->info) != BTF_KIND_FUNC_PROTO) return std::nullopt;
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
    const Type* current = type(id);
    if (current == nullptr) return {};
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

}  // namespace sockdoc
