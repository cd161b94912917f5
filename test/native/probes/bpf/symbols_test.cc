#include "probes/bpf/symbols.h"

#include <gtest/gtest.h>

namespace sockdoc {
namespace {

constexpr std::string_view kText =
    "ffffffff81000200 T second\n"
    "ffffffff81000100 t first\n"
    "ffffffff81000100 T alias_of_first\n"
    "ffffffff81000180 D data_is_no_function\n"
    "ffffffffc0000000 t in_module\t[nf_tables]\n"
    "malformed\n";

Symbols in_pieces(std::string_view text, std::size_t bytes) {
  Symbols symbols;
  for (; !text.empty(); text.remove_prefix(std::min(bytes, text.size()))) symbols.add(text.substr(0, bytes));
  symbols.finish();
  return symbols;
}

TEST(Symbols, FindsTheFunctionAroundAnAddressHoweverTheTextComes) {
  for (std::size_t bytes = 1; bytes <= kText.size(); ++bytes) {
    const Symbols symbols = in_pieces(kText, bytes);
    EXPECT_EQ(symbols.name_of(0xffffffff81000150), "alias_of_first");
    EXPECT_EQ(symbols.name_of(0xffffffff81000200), "alias_of_first");
    EXPECT_EQ(symbols.name_of(0xffffffff81000201), "second");
    EXPECT_EQ(symbols.name_of(0xffffffffc0000042), "in_module");
    EXPECT_FALSE(symbols.name_of(0x10));
  }
}

std::vector<Symbols::Range> ranges_of(const Symbols& symbols, std::string_view name) {
  return symbols.ranges([name](std::string_view function) { return function == name; });
}

TEST(Symbols, KnowsWhereFunctionsEnd) {
  const Symbols symbols = in_pieces(kText, 7);
  for (const char* name : {"first", "alias_of_first"}) {
    const auto ranges = ranges_of(symbols, name);
    ASSERT_EQ(ranges.size(), 1u);
    EXPECT_EQ(ranges[0].start, 0xffffffff81000100);
    EXPECT_EQ(ranges[0].end, 0xffffffff81000200);
  }
  // Where the last one ends is not known.
  EXPECT_TRUE(ranges_of(symbols, "in_module").empty());
  EXPECT_TRUE(ranges_of(symbols, "data_is_no_function").empty());
}

TEST(Symbols, PartsOfAFunctionAreTheFunction) {
  const Symbols symbols = in_pieces("1000 t f\n2000 t g\n3000 t f.cold\n4000 t h\n", 9);
  const auto ranges = ranges_of(symbols, "f");
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[1].start, 0x3000u);
}

TEST(Symbols, HiddenAddressesNameNothing) {
  EXPECT_TRUE(in_pieces("0000000000000000 T first\n0000000000000000 T second\n", 64).empty());
  EXPECT_TRUE(in_pieces("", 1).empty());
  EXPECT_FALSE(Symbols().name_of(1));
}

}  // namespace
}  // namespace sockdoc
