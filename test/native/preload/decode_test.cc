#include "preload/patch/decode.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "preload/patch/image.h"

namespace sockdoc::preload {
namespace {

Instruction decode_bytes(std::initializer_list<std::uint8_t> bytes) {
  return decode(std::span<const std::uint8_t>(bytes.begin(), bytes.size()));
}

/** What objdump says of one instruction. */
struct Line {
  std::uintptr_t address = 0;
  std::size_t length = 0;
  std::string text;
};

/** "   f82a0:\t80 3d 31 33 0e 00 00 \tcmpb   $0x0,..." */
bool parse(const char* line, Line& into) {
  char* end = nullptr;
  into.address = std::strtoul(line, &end, 16);
  if (end == line || std::strncmp(end, ":\t", 2) != 0) return false;
  const char* text = std::strchr(end + 2, '\t');
  if (text == nullptr) return false;
  into.length = 0;
  for (const char* at = end + 2; at + 2 < text && at[0] != ' '; at += 3) into.length++;
  into.text = text + 1;
  while (!into.text.empty() && into.text.back() == '\n') into.text.pop_back();
  return true;
}

std::string path_of_libc() {
  std::unique_ptr<FILE, int (*)(FILE*)> maps(std::fopen("/proc/self/maps", "r"), std::fclose);
  char line[4096];
  while (std::fgets(line, sizeof line, maps.get()) != nullptr) {
    const char* path = std::strchr(line, '/');
    if (path != nullptr && std::strstr(path, "/libc.so.6") != nullptr) {
      return std::string(path, std::strcspn(path, "\n"));
    }
  }
  return "";
}

bool starts(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }

/** Where the instruction points, as objdump prints it: "# 1db5d8 <...>", or "jmp    f82c0 <...>". */
std::uintptr_t target_in(const std::string& text) {
  const std::size_t comment = text.find("# ");
  if (comment != std::string::npos) return std::strtoul(text.c_str() + comment + 2, nullptr, 16);
  const std::size_t symbol = text.find(" <");
  const std::size_t begin = text.rfind(' ', symbol - 1);
  return std::strtoul(text.c_str() + begin + 1, nullptr, 16);
}

TEST(Decode, AgreesWithObjdumpOnEveryInstructionOfLibc) {
  const Image libc = Image::of_library("libc.so.6");
  ASSERT_TRUE(libc.valid());
  const std::string command = "objdump -dw -j .text " + path_of_libc() + " 2>&1";
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  ASSERT_NE(pipe, nullptr);
  char line[4096];
  std::size_t compared = 0;
  std::size_t relative = 0;
  std::size_t unknown = 0;
  while (std::fgets(line, sizeof line, pipe.get()) != nullptr) {
    Line said;
    if (!parse(line, said) || said.text.find("(bad)") != std::string::npos) continue;
    const auto* at = reinterpret_cast<const std::uint8_t*>(libc.base() + said.address);
    const Instruction ours = decode({at, 16});
    compared++;
    if (!ours.valid()) {
      unknown++;
      continue;
    }
    ASSERT_EQ(ours.length, said.length) << line;
    const bool by_rip = said.text.find("(%rip)") != std::string::npos;
    const bool branches = ours.flow != Flow::on && ours.flow != Flow::end;
    ASSERT_EQ(ours.relative(), by_rip || branches) << line;
    if (ours.relative()) {
      relative++;
      ASSERT_EQ(target_of(ours, at) - libc.base(), target_in(said.text)) << line;
    }
    ASSERT_EQ(ours.syscall, starts(said.text, "syscall")) << line;
    if (starts(said.text, "ret") || starts(said.text, "jmp    *")) {
      ASSERT_EQ(ours.flow, Flow::end) << line;
    }
    if (starts(said.text, "call ") && said.text.find('*') == std::string::npos) {
      ASSERT_EQ(ours.flow, Flow::call) << line;
    }
  }
  if (compared == 0) GTEST_SKIP() << "no objdump here: " << line;
  EXPECT_GT(compared, 100000U);
  EXPECT_GT(relative, 10000U);
  // Transactional memory's xabort and xbegin, and nothing else.
  EXPECT_LT(unknown, 20U);
}

TEST(Decode, KnowsLengthsThatLibcSeldomUses) {
  EXPECT_EQ(decode_bytes({0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}).length, 10);              // movabs
  EXPECT_EQ(decode_bytes({0x66, 0xb8, 1, 2}).length, 4);                                 // mov $0x201, %ax
  EXPECT_EQ(decode_bytes({0x66, 0x81, 0xc0, 1, 2}).length, 5);                           // add $0x201, %ax
  EXPECT_EQ(decode_bytes({0xf7, 0x05, 1, 0, 0, 0, 2, 0, 0, 0}).length, 10);              // testl $2, 1(%rip)
  EXPECT_EQ(decode_bytes({0xf7, 0x1d, 1, 0, 0, 0}).length, 6);                           // negl 1(%rip)
  EXPECT_EQ(decode_bytes({0xc8, 0x10, 0, 0}).length, 4);                                 // enter
  EXPECT_EQ(decode_bytes({0x0f, 0xba, 0xe0, 5}).length, 4);                              // bt $5, %eax
  EXPECT_EQ(decode_bytes({0xc5, 0xf8, 0x77}).length, 3);                                 // vzeroupper
  EXPECT_EQ(decode_bytes({0x62, 0xf1, 0x7c, 0x48, 0x10, 0x05, 1, 0, 0, 0}).length, 10);  // vmovups 1(%rip), %zmm0
  EXPECT_EQ(decode_bytes({0xf3, 0x0f, 0x1e, 0xfa}).length, 4);                           // endbr64
  EXPECT_EQ(decode_bytes({0x8b, 0x04, 0x25, 1, 0, 0, 0}).length, 7);                     // mov 1, %eax
  EXPECT_FALSE(decode_bytes({0x8b, 0x04, 0x25, 1, 0, 0, 0}).relative());
}

TEST(Decode, RefusesWhatItDoesNotKnowOrWhatEndsTooEarly) {
  EXPECT_FALSE(decode_bytes({}).valid());
  EXPECT_FALSE(decode_bytes({0x06}).valid());                                // push %es, not in 64-bit mode
  EXPECT_FALSE(decode_bytes({0x8f, 0xe8, 0x78, 0xcc, 0xc1, 0x01}).valid());  // XOP
  EXPECT_FALSE(decode_bytes({0x67, 0x8b, 0x05, 0, 0, 0, 0}).valid());        // EIP-relative
  EXPECT_FALSE(decode_bytes({0xe9, 0, 0, 0}).valid());
  EXPECT_FALSE(decode_bytes({0x48}).valid());
  const std::initializer_list<std::uint8_t> sixteen = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                                       0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90};
  EXPECT_FALSE(decode_bytes(sixteen).valid());
}

}  // namespace
}  // namespace sockdoc::preload
