#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sockdoc {

/**
 * Type information of the kernel (Documentation/bpf/btf.rst), as much as is needed to know the arguments of a
 * tracepoint and the names of an enum. Every access is checked against the data: a damaged file gives no answer, never
 * a wrong address.
 */
class Btf {
 public:
  /** Takes the contents of /sys/kernel/btf/vmlinux; an EBADMSG error for anything that is not BTF of this byte order.
   */
  static Result<Btf> parse(std::string data);

  /** Names of an enum's values without `prefix`; empty when there is no such enum. */
  [[nodiscard]] std::map<std::int64_t, std::string> enum_names(std::string_view name, std::string_view prefix) const;

  /**
   * Parameters of the function that the typedef NAME points to, as the names of their types without const: "enum x",
   * "struct y *", "void *". Nothing when there is no such typedef. (btf_trace_X has the prototype of tracepoint X.)
   */
  [[nodiscard]] std::optional<std::vector<std::string>> typedef_parameters(std::string_view name) const;

 private:
  struct Type {
    std::uint32_t name = 0;
    std::uint32_t info = 0;
    std::uint32_t size_or_type = 0;
    std::size_t details = 0;  // offset in data_ of what follows the fixed part
  };

  [[nodiscard]] bool index_types(std::size_t from, std::size_t end);
  [[nodiscard]] const Type* type(std::uint32_t id) const;
  [[nodiscard]] const Type* find(std::string_view name, unsigned kind) const;
  [[nodiscard]] std::string_view string_at(std::uint32_t offset) const;
  [[nodiscard]] std::string type_name(std::uint32_t id) const;

  std::string data_;
  std::vector<Type> types_;  // [0] is void
  std::size_t strings_ = 0;
  std::size_t strings_length_ = 0;
};

}  // namespace sockdoc
