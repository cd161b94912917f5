#include "program/fit.h"

#include <gtest/gtest.h>

#include <string>

namespace sockdoc::program {
namespace {

/** An ELF file of two segments, of which the text says what they hold. */
struct File {
  Elf64_Ehdr head{};
  Elf64_Phdr segments[2]{};
  char content[64]{};

  File() {
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    head.e_machine = EM_X86_64;
    head.e_phoff = offsetof(File, segments);
    head.e_phentsize = sizeof(Elf64_Phdr);
    head.e_phnum = 2;
  }
  File& with(unsigned index, std::uint32_t type, const std::string& bytes) {
    segments[index].p_type = type;
    segments[index].p_offset = offsetof(File, content) + index * 32;
    segments[index].p_filesz = bytes.size();
    std::memcpy(content + index * 32, bytes.data(), bytes.size());
    return *this;
  }
};

Fit fit_of_bytes(const std::string& bytes, std::string* interpreter = nullptr) {
  char path[kPathRoom] = {};
  const auto read = [&](std::uint64_t offset, void* into, std::size_t size) -> std::size_t {
    if (offset >= bytes.size()) return 0;
    return bytes.copy(static_cast<char*>(into), size, offset);
  };
  const Fit fit = fit_of(read, path);
  if (interpreter != nullptr) *interpreter = path;
  return fit;
}

Fit fit_of_file(const File& file) { return fit_of_bytes({reinterpret_cast<const char*>(&file), sizeof file}); }

const std::string kGlibc("/lib64/ld-linux-x86-64.so.2\0", 28);

TEST(Fit, ProgramsOfGlibc) {
  EXPECT_EQ(fit_of_file(File().with(0, PT_INTERP, kGlibc)), Fit::fits);
  EXPECT_EQ(fit_of_file(File().with(1, PT_INTERP, kGlibc)), Fit::fits);
}

TEST(Fit, OtherLibraries) {
  EXPECT_EQ(fit_of_file(File().with(0, PT_INTERP, "/lib/ld-musl-x86_64.so.1")), Fit::other_libc);
  EXPECT_EQ(fit_of_file(File().with(0, PT_INTERP, "/system/bin/linker64")), Fit::other_libc);
  EXPECT_EQ(fit_of_file(File().with(0, PT_INTERP, "")), Fit::other_libc);
}

TEST(Fit, StaticAndGo) {
  EXPECT_EQ(fit_of_file(File()), Fit::statically_linked);
  const std::string note("\4\0\0\0\4\0\0\0\4\0\0\0Go\0\0abcd", 20);
  EXPECT_EQ(fit_of_file(File().with(0, PT_NOTE, note)), Fit::go);
  EXPECT_EQ(fit_of_file(File().with(0, PT_INTERP, kGlibc).with(1, PT_NOTE, note)), Fit::go);
  const std::string gnu("\4\0\0\0\1\0\0\0\3\0\0\0GNU\0x\0\0\0", 20);
  EXPECT_EQ(fit_of_file(File().with(0, PT_NOTE, gnu)), Fit::statically_linked);
  EXPECT_EQ(fit_of_file(File().with(0, PT_NOTE, gnu + std::string("\377\377\377\377", 4))), Fit::statically_linked);
}

TEST(Fit, OtherMachines) {
  File narrow;
  narrow.head.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(fit_of_file(narrow), Fit::other_machine);
  File arm;
  arm.head.e_machine = EM_AARCH64;
  EXPECT_EQ(fit_of_file(arm), Fit::other_machine);
}

TEST(Fit, BrokenFiles) {
  EXPECT_EQ(fit_of_bytes(""), Fit::unknown_format);
  EXPECT_EQ(fit_of_bytes("\177ELF"), Fit::unknown_format);
  EXPECT_EQ(fit_of_bytes("echo hello\n"), Fit::unknown_format);
  const File file = File().with(0, PT_INTERP, kGlibc);
  const std::string whole(reinterpret_cast<const char*>(&file), sizeof file);
  for (std::size_t size = 0; size < whole.size(); size++) (void)fit_of_bytes(whole.substr(0, size));
  File far = file;
  far.head.e_phoff = ~std::uint64_t{0} - 8;
  EXPECT_EQ(fit_of_file(far), Fit::unknown_format);
  far = file;
  far.segments[0].p_filesz = ~std::uint64_t{0};
  EXPECT_NE(fit_of_file(far), Fit::fits);
}

TEST(Fit, Scripts) {
  std::string interpreter;
  EXPECT_EQ(fit_of_bytes("#! /usr/bin/env -S node --x\n", &interpreter), Fit::script);
  EXPECT_EQ(interpreter, "/usr/bin/env");
  EXPECT_EQ(fit_of_bytes("#!/bin/sh", &interpreter), Fit::script);
  EXPECT_EQ(interpreter, "/bin/sh");
  EXPECT_EQ(fit_of_bytes("#!\n/bin/sh"), Fit::unknown_format);
  EXPECT_EQ(fit_of_bytes("#!" + std::string(5000, 'x'), &interpreter), Fit::script);
  EXPECT_EQ(interpreter.size(), kPathRoom - 3);
}

TEST(Fit, Privileges) {
  const Privileges plain{1000, 1000, 1000, 1000, 0755, 0, 0, false};
  EXPECT_FALSE(gains_privileges(plain));
  const auto with = [&](auto change) {
    Privileges changed = plain;
    change(changed);
    return gains_privileges(changed);
  };
  EXPECT_TRUE(with([](Privileges& it) { it.mode = 04755; }));
  EXPECT_FALSE(with([](Privileges& it) { it.mode = 04755, it.owner = 1000; }));
  EXPECT_TRUE(with([](Privileges& it) { it.mode = 02755; }));
  EXPECT_FALSE(with([](Privileges& it) { it.mode = 02744; }));
  EXPECT_TRUE(with([](Privileges& it) { it.user = 0; }));
  EXPECT_TRUE(with([](Privileges& it) { it.file_capabilities = true; }));
  EXPECT_FALSE(gains_privileges({0, 0, 0, 0, 04755, 0, 0, true}));
}

}  // namespace
}  // namespace sockdoc::program
