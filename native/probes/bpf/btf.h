#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sockdoc {

/**
 * Type information of the kernel (Documentation/bpf/btf.rst), as much as is needed to know the arguments of a
 * tracepoint, the names of an enum, and where a struct has its members. Every access is checked against the data: a
 * damaged file gives no answer, never a wrong address.
 */
class Btf {
 public:
  /** Takes the contents of /sys/kernel/btf/vmlinux; an EBADMSG error for anything that is not BTF of this byte order.
   */
  static Result<Btf> parse(std::string data);
  /** The same for data that somebody else owns and `keep` keeps. */
  static Result<Btf> parse(std::string_view data, std::shared_ptr<const void> keep);

  /** Names of an enum's values without `prefix`; empty when there is no such enum. */
  [[nodiscard]] std::map<std::int64_t, std::string> enum_names(std::string_view name, std::string_view prefix) const;

  /**
   * Parameters of the function that the typedef NAME points to, as the names of their types without const: "enum x",
   * "struct y *", "void *". Nothing when there is no such typedef. (btf_trace_X has the prototype of tracepoint X.)
   */
  [[nodiscard]] std::optional<std::vector<std::string>> typedef_parameters(std::string_view name) const;

  /** Id of a type by its kind (BTF_KIND_…) and name, as attach_btf_id of bpf(2) wants it. */
  [[nodiscard]] std::optional<std::uint32_t> id(std::string_view name, unsigned kind) const;

  struct Member {
    std::uint32_t offset = 0;  // bytes from the beginning of the struct
    std::uint32_t bytes = 0;
  };

  /**
   * Where struct or union NAME has a member: "pid" of "task_struct", or a path, "__sk_common.skc_dport" of "sock".
   * Members of anonymous structs and unions count as the outer one's. Nothing for a bit field, and nothing when there
   * is no such member.
   */
  [[nodiscard]] std::optional<Member> member(std::string_view name, std::string_view path) const;

 private:
  struct Type {
    std::uint32_t name = 0;
    std::uint32_t info = 0;
    std::uint32_t size_or_type = 0;
    std::size_t details = 0;  // offset in data_ of what follows the fixed part
  };

  [[nodiscard]] bool index_types(std::size_t from, std::size_t end);
  [[nodiscard]] std::optional<Type> type(std::uint32_t id) const;
  [[nodiscard]] std::optional<Type> find(std::string_view name, unsigned kind) const;
  [[nodiscard]] bool is_named(std::uint32_t offset, std::string_view name) const;
  [[nodiscard]] std::string_view string_at(std::uint32_t offset) const;
  [[nodiscard]] std::string type_name(std::uint32_t id) const;
  [[nodiscard]] std::optional<std::uint32_t> without_qualifiers(std::uint32_t id) const;
  [[nodiscard]] std::optional<std::uint64_t> bytes_of(std::uint32_t id) const;
  struct Found {
    std::uint64_t offset = 0;
    std::uint32_t type = 0;
    bool bit_field = false;
  };
  [[nodiscard]] std::optional<Found> find_member(const Type& in, std::string_view name, int depth, int& budget) const;

  std::shared_ptr<const void> keep_;
  std::string_view data_;
  std::vector<std::uint32_t> types_;  // offsets in data_ by id; [0] is void
  std::size_t strings_ = 0;
  std::size_t strings_length_ = 0;
};

}  // namespace sockdoc
