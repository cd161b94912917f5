#pragma once

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <span>

namespace sockdoc::preload {

/** A function of a mapped object. */
struct Function {
  const std::uint8_t* at = nullptr;
  std::size_t size = 0;  // as its symbol says; 0: not known

  [[nodiscard]] bool found() const { return at != nullptr; }
  [[nodiscard]] std::span<const std::uint8_t> code() const { return {at, size}; }
};

/**
 * An ELF object as the loader has mapped it, read from memory alone: program headers, dynamic section, GNU hash. No
 * allocation; no lock either, except for the loader's own in of_library().
 */
class Image {
 public:
  /** The mapped object with this DT_SONAME; empty when there is none. Takes the loader's lock: not under a stop. */
  static Image of_library(const char* soname);

  /** The first object that exports this function or variable and is not the one that `not_at` is in. Takes the same
   * lock. */
  static Image that_exports(const char* name, const void* not_at);

  static Image of(std::uintptr_t base, std::span<const ElfW(Phdr)> headers);

  [[nodiscard]] bool valid() const { return symbols_ != nullptr && !text_.empty(); }
  [[nodiscard]] const char* soname() const { return soname_; }
  [[nodiscard]] std::uintptr_t base() const { return base_; }
  [[nodiscard]] std::span<const std::uint8_t> text() const { return text_; }

  /** Version `nth` of a function (posix_spawn has two), in the order of the hash chain. */
  [[nodiscard]] Function function(const char* name, int nth = 0) const;

  /** A variable's or function's address whatever its type; null when it is not exported. */
  [[nodiscard]] const void* symbol(const char* name) const;

 private:
  [[nodiscard]] const ElfW(Sym) * lookup(const char* name, int nth) const;
  [[nodiscard]] std::uintptr_t address(ElfW(Addr) of_pointer) const;

  std::uintptr_t base_ = 0;
  std::uintptr_t end_ = 0;
  std::span<const std::uint8_t> text_;
  const ElfW(Sym) * symbols_ = nullptr;
  const char* strings_ = nullptr;
  const std::uint32_t* hash_ = nullptr;
  const char* soname_ = "";
};

}  // namespace sockdoc::preload
