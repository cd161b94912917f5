#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

/**
 * Whether libsd can come into a program, judged by the program's file: the same rules for `sockdoc run`, before it
 * starts one, and for libsd, when a program executes another. Nothing here allocates or calls libc beyond memory and
 * string functions.
 */
namespace sockdoc::program {

enum class Fit : std::uint8_t {
  fits,
  script,             // its interpreter decides
  unreadable,         // nobody may read it, or it is no file
  unknown_format,     // perhaps binfmt_misc knows it
  other_machine,      // 32 bits, or another processor
  statically_linked,  // no loader that would see LD_PRELOAD
  go,                 // makes its system calls itself
  other_libc,         // a loader that is not glibc's
  gains_privileges,   // the loader ignores LD_PRELOAD then (AT_SECURE)
};

/** Goes on from "PATH …". */
[[nodiscard]] constexpr const char* fit_text(Fit fit) {
  switch (fit) {
    case Fit::fits:
    case Fit::script:
      return "";
    case Fit::unreadable:
      return "cannot be read, so nobody knows what it is";
    case Fit::unknown_format:
      return "is of a format that sockdoc does not know";
    case Fit::other_machine:
      return "is for 32 bits or for another processor, and libsd for x86-64 alone";
    case Fit::statically_linked:
      return "is statically linked, so that no library can be loaded into it";
    case Fit::go:
      return "is a Go program, which makes its system calls without the C library";
    case Fit::other_libc:
      return "uses another C library than glibc, such as musl";
    case Fit::gains_privileges:
      return "gains privileges when it starts, and the loader then ignores LD_PRELOAD";
  }
  return "";
}

/** Where a foreign loader would load libsd, or complain of it. Elsewhere LD_PRELOAD does no harm, and children may
 * want it. */
[[nodiscard]] constexpr bool loader_minds(Fit fit) { return fit == Fit::other_machine || fit == Fit::other_libc; }

inline constexpr std::size_t kPathRoom = 256;  // the kernel reads as much of a script's first line

namespace detail {

template <typename T, typename Read>
bool read_at(Read& read, std::uint64_t offset, T& into) {
  return read(offset, &into, sizeof into) == sizeof into;
}

inline Fit fit_of_loader(const char* path) {
  const char* slash = std::strrchr(path, '/');
  const char* name = slash == nullptr ? path : slash + 1;
  constexpr const char kGlibc[] = "ld-linux-x86-64.so";
  return std::strncmp(name, kGlibc, sizeof kGlibc - 1) == 0 ? Fit::fits : Fit::other_libc;
}

/** The notes of a Go program begin with its own, by the name "Go". */
template <typename Read>
bool has_go_note(Read& read, const Elf64_Phdr& segment) {
  struct {
    Elf64_Nhdr head;
    char name[4];
  } note;
  std::uint64_t at = 0;
  for (int i = 0; i < 16 && at + sizeof note <= segment.p_filesz; i++) {
    if (!read_at(read, segment.p_offset + at, note)) return false;
    if (note.head.n_namesz == 4 && std::memcmp(note.name, "Go\0", 4) == 0) return true;
    const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
    at += sizeof note.head + padded(note.head.n_namesz) + padded(note.head.n_descsz);
  }
  return false;
}

template <typename Read>
Fit fit_of_elf(Read& read) {
  Elf64_Ehdr head;
  unsigned char ident[EI_NIDENT + 4];
  if (!read_at(read, 0, ident)) return Fit::unknown_format;
  const bool ours = ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == ELFDATA2LSB;
  if (!ours || !read_at(read, 0, head) || head.e_machine != EM_X86_64) return Fit::other_machine;
  if (head.e_phentsize != sizeof(Elf64_Phdr)) return Fit::unknown_format;
  Fit fit = Fit::statically_linked;
  for (unsigned i = 0; i < head.e_phnum; i++) {
    Elf64_Phdr segment;
    if (!read_at(read, head.e_phoff + i * sizeof segment, segment)) return Fit::unknown_format;
    if (segment.p_type == PT_NOTE && has_go_note(read, segment)) return Fit::go;
    if (segment.p_type != PT_INTERP) continue;
    char path[kPathRoom] = {};
    const std::size_t size = segment.p_filesz < sizeof path ? segment.p_filesz : sizeof path - 1;
    if (read(segment.p_offset, path, size) != size) return Fit::unknown_format;
    fit = fit_of_loader(path);
  }
  return fit;
}

}  // namespace detail

/**
 * `read(offset, into, size)` gives the number of bytes that it could read there. For a script the path of its
 * interpreter goes to `interpreter`, which has kPathRoom bytes.
 */
template <typename Read>
[[nodiscard]] Fit fit_of(Read read, char* interpreter) {
  char first[kPathRoom] = {};
  const std::size_t size = read(0, first, sizeof first - 1);
  if (size >= SELFMAG && std::memcmp(first, ELFMAG, SELFMAG) == 0) return detail::fit_of_elf(read);
  if (size < 2 || first[0] != '#' || first[1] != '!') return Fit::unknown_format;
  const char* begin = first + 2;
  while (*begin == ' ' || *begin == '\t') begin++;
  std::size_t length = 0;
  while (begin[length] != 0 && begin[length] != ' ' && begin[length] != '\t' && begin[length] != '\n') length++;
  if (length == 0) return Fit::unknown_format;
  std::memcpy(interpreter, begin, length);
  interpreter[length] = 0;
  return Fit::script;
}

/** What the kernel decides AT_SECURE by. */
struct Privileges {
  std::uint32_t real_user, user, real_group, group;  // of the process
  std::uint32_t mode, owner, owning_group;           // of the file
  bool file_capabilities;
};

[[nodiscard]] constexpr bool gains_privileges(const Privileges& of) {
  constexpr std::uint32_t kSetUser = 04000;
  constexpr std::uint32_t kSetGroup = 02010;  // without execution for the group it means something else
  const std::uint32_t user = (of.mode & kSetUser) != 0 ? of.owner : of.user;
  const std::uint32_t group = (of.mode & kSetGroup) == kSetGroup ? of.owning_group : of.group;
  return user != of.real_user || group != of.real_group || (of.file_capabilities && of.real_user != 0);
}

}  // namespace sockdoc::program
