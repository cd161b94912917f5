#include "probes/drops/btf.h"

#include <gtest/gtest.h>
#include <linux/btf.h>

#include <cstring>
#include <random>

#include "probes/drops/drop_program.h"
#include "probes/drops/symbols.h"

namespace sockdoc {
namespace {

/** Lays out type information by hand; ids count from 1. */
class BtfBuilder {
 public:
  std::uint32_t type(const char* name, unsigned kind, unsigned count, std::uint32_t size_or_type) {
    append(types_, btf_type{string(name), kind << 24 | count, {size_or_type}});
    return ++last_;
  }
  void value(const btf_enum& value) { append(types_, value); }
  void parameter(const btf_param& parameter) { append(types_, parameter); }
  std::uint32_t string(const char* text) {
    if (*text == '\0') return 0;
    const auto offset = static_cast<std::uint32_t>(strings_.size());
    strings_.append(text, std::strlen(text) + 1);
    return offset;
  }
  std::string finish() const {
    btf_header header{};
    header.magic = BTF_MAGIC;
    header.version = BTF_VERSION;
    header.hdr_len = sizeof header;
    header.type_len = static_cast<std::uint32_t>(types_.size());
    header.str_off = header.type_len;
    header.str_len = static_cast<std::uint32_t>(strings_.size());
    std::string data(reinterpret_cast<const char*>(&header), sizeof header);
    return data + types_ + strings_;
  }

 private:
  template <typename T>
  static void append(std::string& to, const T& value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string types_;
  std::string strings_ = std::string(1, '\0');
  std::uint32_t last_ = 0;
};

/** The tracepoint with the arguments in an order of its own, to see that the order is looked up. */
std::string sample(bool with_reason) {
  BtfBuilder b;
  const auto reason = b.type("skb_drop_reason", BTF_KIND_ENUM, 3, 4);
  b.value({b.string("SKB_NOT_DROPPED_YET"), 0});
  b.value({b.string("SKB_DROP_REASON_NOT_SPECIFIED"), 2});
  b.value({b.string("SKB_DROP_REASON_NO_SOCKET"), 3});
  const auto buffer = b.type("sk_buff", BTF_KIND_FWD, 0, 0);
  const auto buffer_pointer = b.type("", BTF_KIND_PTR, 0, buffer);
  const auto anything = b.type("", BTF_KIND_PTR, 0, 0);
  const auto function = b.type("", BTF_KIND_FUNC_PROTO, with_reason ? 4 : 3, 0);
  b.parameter({0, anything});
  b.parameter({0, buffer_pointer});
  if (with_reason) b.parameter({0, reason});
  b.parameter({0, anything});
  const auto pointer = b.type("", BTF_KIND_PTR, 0, function);
  b.type("btf_trace_kfree_skb", BTF_KIND_TYPEDEF, 0, pointer);
  return b.finish();
}

TEST(Btf, NamesAnEnumAndTheParametersOfATracepoint) {
  const auto btf = Btf::parse(sample(true));
  ASSERT_TRUE(btf);
  const std::map<std::int64_t, std::string> names{{0, "SKB_NOT_DROPPED_YET"}, {2, "NOT_SPECIFIED"}, {3, "NO_SOCKET"}};
  EXPECT_EQ(btf->enum_names("skb_drop_reason", "SKB_DROP_REASON_"), names);
  EXPECT_TRUE(btf->enum_names("no_such_enum", "").empty());
  const auto arguments = drop_arguments(*btf);
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->reason, 1u);
  EXPECT_EQ(arguments->location, 2u);
}

TEST(Btf, AKernelWithoutReasonsIsNotSupported) {
  const auto btf = Btf::parse(sample(false));
  ASSERT_TRUE(btf);
  EXPECT_EQ(drop_arguments(*btf).error().code, EOPNOTSUPP);
}

TEST(Btf, RefusesWhatIsNotBtf) {
  EXPECT_FALSE(Btf::parse(""));
  EXPECT_FALSE(Btf::parse("not type information at all, but long enough"));
  const std::string good = sample(true);
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(Btf::parse(good.substr(0, length)));
}

TEST(Btf, SurvivesDamage) {
  const std::string good = sample(true);
  std::mt19937 random(3);
  std::size_t parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = good;
    for (unsigned i = 0; i <= random() % 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto btf = Btf::parse(std::move(damaged));
    if (!btf) continue;
    ++parsed;
    (void)btf->enum_names("skb_drop_reason", "SKB_DROP_REASON_");
    (void)drop_arguments(*btf);
  }
  EXPECT_GT(parsed, 0u);
}

TEST(ResolveSymbols, FindsTheFunctionAroundAnAddress) {
  constexpr const char* kText =
      "ffffffff81000200 T second\n"
      "ffffffff81000100 t first\n"
      "ffffffff81000180 D data_is_no_function\n"
      "ffffffffc0000000 t in_module\t[nf_tables]\n"
      "malformed\n";
  const auto names = resolve_symbols(kText, {0xffffffff81000150, 0xffffffff81000200, 0xffffffffc0000042, 0x10});
  const std::map<std::uint64_t, std::string> expected{
      {0xffffffff81000150, "first"}, {0xffffffff81000200, "first"}, {0xffffffffc0000042, "in_module"}};
  EXPECT_EQ(names, expected);
}

TEST(ResolveSymbols, HiddenAddressesNameNothing) {
  EXPECT_TRUE(resolve_symbols("0000000000000000 T first\n0000000000000000 T second\n", {0xffffffff81000150}).empty());
  EXPECT_TRUE(resolve_symbols("", {1, 2}).empty());
}

}  // namespace
}  // namespace sockdoc
