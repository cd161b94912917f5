#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <ostream>
#include <random>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "monitor/policy_parser.h"

namespace sockdoc::monitor {
namespace {

Identity user(uid_t uid, const char* executable = "/usr/bin/program", const char* cgroup = "/") {
  Identity identity;
  identity.uids = {uid, uid, uid};
  identity.gids = {uid, uid, uid};
  identity.executable = executable;
  identity.executable_is_ours = true;
  identity.cgroup = cgroup;
  return identity;
}

Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

Policy policy_of(std::string_view text) {
  ParsedPolicy parsed = parse_policy(text);
  for (const PolicyError& error : parsed.errors) ADD_FAILURE() << error_line("policy", error);
  return std::move(parsed.policy);
}

bool allows(const Policy& policy, const PolicyEnd& a, const PolicyEnd& b) {
  const bool allowed = policy.decide(a, b).allowed;
  EXPECT_EQ(policy.decide(b, a).allowed, allowed) << "which end asks makes no difference";
  return allowed;
}

TEST(Policy, OneUsersProcessesMayAndDifferentUsersMayNot) {
  const Identity one = user(1000);
  const Identity same = user(1000);
  const Identity other = user(1001);
  const Policy policy;
  EXPECT_TRUE(allows(policy, {&one}, {&same}));
  EXPECT_FALSE(allows(policy, {&one}, {&other}));
  EXPECT_EQ(policy.decide({&one}, {&other}).reason, abi::Reason::denied_across_users);
  Identity root = user(0);
  EXPECT_FALSE(allows(policy, {&root}, {&one}));
}

TEST(Policy, AProcessThatCanBecomeAnotherUserIsNotOneOfTheUsers) {
  const Identity plain = user(1000);
  for (std::size_t i = 0; i < 3; ++i) {
    Identity mixed = user(1000);
    mixed.uids[i] = 0;
    EXPECT_FALSE(allows(Policy(), {&plain}, {&mixed}));
    EXPECT_FALSE(allows(policy_of("allow uid=1000"), {&plain}, {&mixed}));
    EXPECT_FALSE(allows(policy_of("deny uid=0\nallow any"), {&plain}, {&mixed}));
    EXPECT_TRUE(allows(policy_of("allow uid=0,1000"), {&plain}, {&mixed}));
  }
}

TEST(Policy, TheFirstRuleThatIsMetDecides) {
  const Identity web = user(33, "/usr/sbin/nginx");
  const Identity database = user(26, "/usr/lib/postgresql/15/bin/postgres");
  const Identity curl = user(33, "/usr/bin/curl");
  const Policy policy = policy_of(
      "# who talks to the database\n"
      "deny executable=/usr/bin/curl\n"
      "allow uid=33 with uid=26 port=5432\n");
  EXPECT_TRUE(allows(policy, {&web, {}, 40000}, {&database, {}, 5432}));
  EXPECT_FALSE(allows(policy, {&web, {}, 5432}, {&database, {}, 40000})) << "the port is the other end's";
  EXPECT_FALSE(allows(policy, {&curl, {}, 40000}, {&database, {}, 5432}));
  EXPECT_EQ(policy.decide({&curl, {}, 1}, {&curl, {}, 2}).reason, abi::Reason::denied_by_policy);
}

TEST(Policy, WithoutWithAnAllowanceIsForBothEndsAndADenialForEither) {
  const Identity a = user(1);
  const Identity b = user(2);
  EXPECT_FALSE(allows(policy_of("allow uid=1"), {&a}, {&b}));
  EXPECT_TRUE(allows(policy_of("allow uid=1 with any"), {&a}, {&b}));
  EXPECT_TRUE(allows(policy_of("allow uid=1-2"), {&a}, {&b}));
  EXPECT_FALSE(allows(policy_of("deny uid=2\nallow any"), {&a}, {&b}));
  EXPECT_TRUE(allows(policy_of("deny uid=2\nallow any"), {&a}, {&a}));
  EXPECT_FALSE(allows(policy_of("allow same-user\ndeny any"), {&a}, {&b}));
}

TEST(Policy, AnExecutableOfAnotherMountNamespaceIsNotAllowedByItsName) {
  const Identity server = user(26);
  Identity fake = user(33, "/usr/sbin/nginx");
  fake.executable_is_ours = false;
  EXPECT_FALSE(allows(policy_of("allow executable=/usr/sbin/nginx with any"), {&fake}, {&server}));
  EXPECT_FALSE(allows(policy_of("deny executable=/usr/sbin/*\nallow any"), {&fake}, {&server}));
}

TEST(Policy, GroupsCgroupsAndAddressesOfAnEnd) {
  Identity a = user(1, "/bin/a", "/system.slice/web.service");
  const Identity b = user(2);
  a.groups = {7, 50};
  EXPECT_TRUE(allows(policy_of("allow gid=50 with any"), {&a}, {&b}));
  EXPECT_TRUE(allows(policy_of("allow cgroup=/system.slice/* with any"), {&a}, {&b}));
  EXPECT_FALSE(allows(policy_of("allow cgroup=/user.slice/* with any"), {&a}, {&b}));
  const Policy policy = policy_of("allow address=10.0.0.0/9,::1 with any");
  EXPECT_TRUE(allows(policy, {&a, ipv4(10, 127, 0, 1)}, {&b, ipv4(192, 0, 2, 1)}));
  EXPECT_FALSE(allows(policy, {&a, ipv4(10, 128, 0, 1)}, {&b, ipv4(192, 0, 2, 1)}));
  EXPECT_TRUE(allows(policy, {&a, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, {&b, ipv4(192, 0, 2, 1)}));
  EXPECT_TRUE(allows(policy_of("allow address=0.0.0.0/0"), {&a, ipv4(1, 2, 3, 4)}, {&b, ipv4(4, 3, 2, 1)}));
  EXPECT_FALSE(allows(policy_of("allow address=0.0.0.0/0"), {&a, ipv4(1, 2, 3, 4)}, {&b, Address{0x20}}));
}

TEST(PolicyParser, LimitsHaveUnits) {
  const Limits limits = policy_of("limit slabs=5 bytes=2G\nlimit ring=64K requests=10 connections=3").limits;
  EXPECT_EQ(limits.slabs, 5u);
  EXPECT_EQ(limits.bytes, 2ull << 30);
  EXPECT_EQ(limits.ring, 65536u);
  EXPECT_EQ(limits.requests, 10u);
  EXPECT_EQ(limits.connections, 3u);
}

struct Mistake {
  const char* text;
  int line;
  int column;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << '"' << mistake.text << '"'; }

/** Its number and its letters: "1_fine_allow". */
std::string name_of(const ::testing::TestParamInfo<Mistake>& info) {
  std::string name = std::to_string(info.index);
  bool apart = true;
  for (const char letter : std::string_view(info.param.text)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(letter)) != 0;
    if (plain && apart) name += '_';
    if (plain) name += letter;
    apart = !plain;
  }
  return name;
}

class PolicyMistakes : public ::testing::TestWithParam<Mistake> {};

TEST_P(PolicyMistakes, AreFoundWhereTheyAre) {
  const auto [text, line, column] = GetParam();
  const ParsedPolicy parsed = parse_policy(text);
  ASSERT_FALSE(parsed.errors.empty()) << text;
  EXPECT_EQ(parsed.errors[0].line, line) << text << ": " << parsed.errors[0].message;
  EXPECT_EQ(parsed.errors[0].column, column) << text << ": " << parsed.errors[0].message;
  EXPECT_FALSE(parsed.errors[0].expected.empty());
  EXPECT_TRUE(parsed.policy.rules.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, PolicyMistakes,
    ::testing::Values(Mistake{"permit uid=1", 1, 1}, Mistake{"\n# fine\n  allow", 3, 8}, Mistake{"allow uid=", 1, 11},
                      Mistake{"deny uid=1,", 1, 10}, Mistake{"deny uid=1,,2", 1, 12}, Mistake{"deny uid=5-4", 1, 10},
                      Mistake{"deny uid=4294967295", 1, 10}, Mistake{"deny uid=-1", 1, 10},
                      Mistake{"deny uid=no-such-user-here", 1, 10}, Mistake{"deny colour=red", 1, 6},
                      Mistake{"deny uid", 1, 6}, Mistake{"deny port=65536", 1, 11}, Mistake{"deny port=http", 1, 11},
                      Mistake{"deny address=10.0.0.0/33", 1, 14}, Mistake{"deny address=10.0.0", 1, 14},
                      Mistake{"deny address=::1/", 1, 14}, Mistake{"deny executable=nginx", 1, 17},
                      Mistake{"deny any with", 1, 14}, Mistake{"deny with any", 1, 6},
                      Mistake{"deny any with any with any", 1, 19}, Mistake{"allow port=80", 1, 1},
                      Mistake{"limit", 1, 6}, Mistake{"limit slabs=0", 1, 13}, Mistake{"limit ring=5000", 1, 12},
                      Mistake{"limit bytes=99999999999999999999", 1, 13}, Mistake{"limit fun=1", 1, 7}),
    name_of);

TEST(PolicyParser, AnythingAtAllIsAnErrorOrAPolicy) {
  const std::vector<std::string> pieces = {
      "allow ", "deny ", "limit ", "uid=",     "gid=",          "port=", "address=", "with ", "any ", "1",
      "-",      ",",     "/",      "\n",       "10.0.0.1",      "::",    "#",        "ring=", "K",    "\t",
      "\0",     "\xff",  "=",      "cgroup=/", "executable=/*["};
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t i = random() % 40; i > 0; --i) text += pieces[random() % pieces.size()];
    const ParsedPolicy parsed = parse_policy(text);
    ASSERT_LE(parsed.errors.size(), 25u);
    for (const PolicyError& error : parsed.errors) ASSERT_TRUE(error.line >= 1 && error.column >= 1) << text;
    const Identity a = user(1);
    const Identity b = user(2);
    if (parsed.errors.empty()) (void)parsed.policy.decide({&a}, {&b});
  }
}

TEST(PolicyFile, ThatOthersMayChangeIsNoPolicy) {
  char path[] = "/tmp/sockdoc-policy-XXXXXX";
  const Fd fd(::mkstemp(path));
  ASSERT_TRUE(fd.valid());
  EXPECT_TRUE(read_policy(path).errors.empty());
  ASSERT_EQ(::fchmod(fd.get(), 0666), 0);
  EXPECT_EQ(read_policy(path).errors.size(), 1u);
  ::unlink(path);
  EXPECT_EQ(read_policy(path).errors.size(), 1u);
  EXPECT_EQ(read_policy("/").errors.size(), 1u);
}

}  // namespace
}  // namespace sockdoc::monitor
