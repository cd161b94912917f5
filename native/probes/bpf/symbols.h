#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sockdoc {

/** Functions of the kernel by address, from the text of /proc/kallsyms. */
class Symbols {
 public:
  /**
   * Takes more of the text, in pieces that end anywhere. Addresses that are hidden from us (all zero:
   * kernel.kptr_restrict, no CAP_SYSLOG) and what is no function are left out. Call finish() behind the last piece.
   */
  void add(std::string_view text);
  void finish();

  [[nodiscard]] bool empty() const { return functions_.empty(); }

  /** The function that a return address lies in; nothing when no function begins before it. */
  [[nodiscard]] std::optional<std::string_view> name_of(std::uint64_t return_address) const;

  struct Range {
    std::uint64_t start = 0;
    std::uint64_t end = 0;  // where the next function begins
  };
  /**
   * Where the functions are whose name (without what the compiler puts behind a dot: "name.part.0") is wanted, by
   * address.
   */
  [[nodiscard]] std::vector<Range> ranges(const std::function<bool(std::string_view)>& wanted) const;

 private:
  struct Function {
    std::uint64_t start = 0;
    std::uint32_t name = 0;  // offset in names_
    std::uint32_t length = 0;
  };
  void add_line(std::string_view line);
  [[nodiscard]] std::string_view name(const Function& function) const {
    return std::string_view(names_).substr(function.name, function.length);
  }

  std::vector<Function> functions_;
  std::string names_;
  std::string rest_;  // of a line whose end has not come yet
};

}  // namespace sockdoc
