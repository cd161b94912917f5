#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/fd.h"

namespace sockdoc {

/**
 * Reads a small file whole into `buffer` (what does not fit is left out). nullopt with errno set when it cannot be
 * opened or read. `directory` as in openat(2).
 */
std::optional<std::string_view> read_small(int directory, const char* path, std::span<char> buffer);

/** Where a symbolic link points to; nullopt with errno set. */
std::optional<std::string_view> read_link(int directory, const char* path, std::span<char> buffer);

/** A number at the start of `text`, if there is one. */
template <typename T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

/** The inode number in "socket:[123]" or "net:[4026531840]"; nullopt for anything else. */
std::optional<std::uint64_t> inode_of_link(std::string_view target, std::string_view kind);

/** Cuts the text up to `separator` off the front of `rest` (all of it when there is none). */
std::string_view take_until(std::string_view& rest, char separator);

/** The rest of the line that begins with `key`, without the blanks before it; empty when there is none. */
std::string_view line_of(std::string_view text, std::string_view key);

/** Reads a folder of procfs with getdents64, without an allocation per entry: large folders of descriptors are read. */
class FolderReader {
 public:
  /** Opens it; valid() tells whether that went well, errno why not. */
  FolderReader(int directory, const char* path);

  [[nodiscard]] bool valid() const { return fd_.valid(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  /** Calls `visit(name, number)` for every entry whose name is a number. False with errno when reading broke off. */
  template <typename Visit>
  bool for_each_number(Visit visit) {
    while (fill()) {
      while (const char* name = next()) {
        if (*name < '0' || *name > '9') continue;
        if (const auto number = parse_number<int>(name)) visit(name, *number);
      }
    }
    return !failed_;
  }

 private:
  bool fill();
  const char* next();

  Fd fd_;
  std::size_t length_ = 0;
  std::size_t at_ = 0;
  bool failed_ = false;
  alignas(8) char buffer_[32768];
};

}  // namespace sockdoc
