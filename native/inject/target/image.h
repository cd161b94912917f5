#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inject/process/maps.h"
#include "inject/target/memory.h"

namespace sockdoc::inject {

/**
 * An ELF object in the target's memory, read from there alone: program headers, dynamic section, GNU hash. So it is the
 * target's own file, in whatever mount namespace that is, and whichever version.
 */
class Image {
 public:
  static std::optional<Image> at(const Memory& memory, Address base);

  [[nodiscard]] const std::string& soname() const { return soname_; }
  [[nodiscard]] Address base() const { return base_; }
  [[nodiscard]] bool holds(Address address) const { return number(address) >= text_ && number(address) < text_end_; }

  /** Where its code ends; what follows in the last page is nobody's. */
  [[nodiscard]] Address code_end() const { return Address{text_end_}; }

  /** A function or variable that it exports. */
  [[nodiscard]] std::optional<Address> symbol(std::string_view name) const;

  /** Where these bytes are in its code. */
  [[nodiscard]] std::optional<Address> code(std::string_view bytes) const;

 private:
  explicit Image(const Memory& memory, Address base) : memory_(memory), base_(base) {}
  bool read_headers();
  bool read_dynamic(std::uint64_t at, std::uint64_t size);
  [[nodiscard]] Address address(std::uint64_t of_pointer) const;

  Memory memory_;
  Address base_;
  std::uint64_t bias_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t text_ = 0;
  std::uint64_t text_end_ = 0;
  std::uint64_t symbols_ = 0;
  std::uint64_t strings_ = 0;
  std::uint64_t hash_ = 0;
  std::string soname_;
};

/** The mapped object of this DT_SONAME. */
std::optional<Image> find_library(const Memory& memory, const std::vector<Mapping>& maps, std::string_view soname);

/** All mapped objects that export this symbol. */
std::vector<Image> exporting(const Memory& memory, const std::vector<Mapping>& maps, std::string_view symbol);

}  // namespace sockdoc::inject
