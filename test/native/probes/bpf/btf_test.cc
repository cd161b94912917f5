#include "probes/bpf/btf.h"

#include <gtest/gtest.h>
#include <linux/btf.h>

#include <cstddef>
#include <random>

#include "btf_builder.h"
#include "probes/bpf/kernel.h"
#include "probes/drops/drop_program.h"

namespace sockdoc {
namespace {

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

/** What the compiler makes of it is what must be found. */
struct Known {
  char first;
  struct {
    std::uint16_t inner;
    union {
      std::uint32_t number;
      void* address;
    };
  };
  struct Named {
    std::uint64_t skipped;
    std::uint32_t wanted[3];
  } named;
  unsigned bits : 5;
};

std::string known_struct() {
  BtfBuilder b;
  const auto byte = b.integer("char", 1);
  const auto u16 = b.integer("unsigned short", 2);
  const auto u32 = b.integer("unsigned int", 4);
  const auto u64 = b.integer("unsigned long", 8);
  const auto alias = b.type("u32", BTF_KIND_TYPEDEF, 0, u32);
  const auto constant = b.type("", BTF_KIND_CONST, 0, alias);
  const auto pointer = b.type("", BTF_KIND_PTR, 0, 0);
  const auto choice = b.type("", BTF_KIND_UNION, 2, 8);
  b.member("number", constant, 0);
  b.member("address", pointer, 0);
  const auto anonymous = b.type("", BTF_KIND_STRUCT, 2, 16);
  b.member("inner", u16, 0);
  b.member("", choice, 64);
  const auto numbers = b.type("", BTF_KIND_ARRAY, 0, 0);
  b.array(u32, 3);
  const auto named = b.type("Named", BTF_KIND_STRUCT, 2, sizeof(Known::Named));
  b.member("skipped", u64, 0);
  b.member("wanted", numbers, 64);
  b.type("Known", BTF_KIND_STRUCT | BtfBuilder::kWithBitFields, 4, sizeof(Known));
  b.member("first", byte, 0);
  b.member("", anonymous, 64);
  b.member("named", named, offsetof(Known, named) * 8);
  b.member("bits", u32, 5u << 24 | (offsetof(Known, named) + sizeof(Known::Named)) * 8);
  return b.finish();
}

void expect_member(const Btf& btf, std::string_view path, std::size_t offset, std::size_t bytes) {
  const auto member = btf.member("Known", path);
  ASSERT_TRUE(member) << path;
  EXPECT_EQ(member->offset, offset) << path;
  EXPECT_EQ(member->bytes, bytes) << path;
}

TEST(Btf, FindsMembersWhereTheCompilerPutThem) {
  const auto btf = Btf::parse(known_struct());
  ASSERT_TRUE(btf);
  expect_member(*btf, "first", offsetof(Known, first), 1);
  expect_member(*btf, "inner", offsetof(Known, inner), 2);
  expect_member(*btf, "number", offsetof(Known, number), 4);
  expect_member(*btf, "address", offsetof(Known, address), sizeof(void*));
  expect_member(*btf, "named", offsetof(Known, named), sizeof(Known::Named));
  expect_member(*btf, "named.wanted", offsetof(Known, named) + offsetof(Known::Named, wanted), 12);
  for (const char* path : {"bits", "none", "", "named.none", "first.none", "named.", ".inner", "wanted"}) {
    EXPECT_FALSE(btf->member("Known", path)) << path;
  }
  EXPECT_FALSE(btf->member("Unknown", "first"));
}

TEST(Btf, KnowsTheRunningKernel) {
  const auto btf = kernel_btf();
  if (!btf) GTEST_SKIP() << btf.error().message();
  const auto pid = (*btf)->member("task_struct", "pid");
  const auto name = (*btf)->member("task_struct", "comm");
  const auto port = (*btf)->member("sock", "__sk_common.skc_dport");
  ASSERT_TRUE(pid && name && port);
  EXPECT_EQ(pid->bytes, 4u);
  EXPECT_EQ(name->bytes, 16u);
  EXPECT_EQ(port->bytes, 2u);
  // The kernel's own comment on struct sock_common: destination address and port stand at the beginning.
  EXPECT_EQ(port->offset, 12u);
  EXPECT_TRUE((*btf)->id("btf_trace_sched_switch", BTF_KIND_TYPEDEF));
  EXPECT_EQ(kernel_btf()->get(), btf->get());
}

TEST(Btf, MembersSurviveDamage) {
  const std::string good = known_struct();
  std::mt19937 random(5);
  std::size_t parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = good;
    for (unsigned i = 0; i <= random() % 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto btf = Btf::parse(std::move(damaged));
    if (!btf) continue;
    ++parsed;
    for (const char* path : {"first", "number", "named.wanted", "bits", "none"}) (void)btf->member("Known", path);
  }
  EXPECT_GT(parsed, 0u);
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

}  // namespace
}  // namespace sockdoc
