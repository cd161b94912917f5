#include "inject/seccomp/filter.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

namespace sockdoc::inject {
namespace {

using Filter = std::vector<sock_filter>;

constexpr std::uint32_t kArgument = offsetof(seccomp_data, args);
constexpr sockdoc_argument kAny{0, 0};
constexpr int kCall = 17;

sock_filter load(std::uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
sock_filter jump(std::uint16_t condition, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K), k, yes, no);
}
sock_filter give(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }

Answer ask(const Filter& filter, sockdoc_argument first = kAny, sockdoc_argument second = kAny, int number = kCall) {
  const sockdoc_argument arguments[6] = {first, second, kAny, kAny, kAny, kAny};
  return ask_filter(filter, number, arguments);
}

sockdoc_argument is(std::uint64_t value) { return {2, value}; }

TEST(FilterTest, AnswersAreToldApart) {
  EXPECT_EQ(ask({give(SECCOMP_RET_ALLOW)}), Answer::allows);
  EXPECT_EQ(ask({give(SECCOMP_RET_LOG)}), Answer::allows);
  EXPECT_EQ(ask({give(SECCOMP_RET_ERRNO | EPERM)}), Answer::fails);
  EXPECT_EQ(ask({give(SECCOMP_RET_KILL_PROCESS)}), Answer::ends);
  EXPECT_EQ(ask({give(SECCOMP_RET_KILL_THREAD)}), Answer::ends);
  EXPECT_EQ(ask({give(SECCOMP_RET_TRAP)}), Answer::ends);
  EXPECT_EQ(ask({give(SECCOMP_RET_USER_NOTIF)}), Answer::unclear);
  EXPECT_EQ(ask({give(SECCOMP_RET_TRACE)}), Answer::unclear);
  EXPECT_EQ(ask({}), Answer::unclear);
}

TEST(FilterTest, TheNumberAndTheProcessorAreKnown) {
  const Filter filter = {load(offsetof(seccomp_data, arch)), jump(BPF_JEQ, AUDIT_ARCH_X86_64, 0, 2),
                         load(offsetof(seccomp_data, nr)),   jump(BPF_JEQ, kCall, 1, 0),
                         give(SECCOMP_RET_KILL_PROCESS),     give(SECCOMP_RET_ALLOW)};
  EXPECT_EQ(ask(filter), Answer::allows);
  EXPECT_EQ(ask(filter, kAny, kAny, kCall + 1), Answer::ends);
}

TEST(FilterTest, OfWhatIsNotKnownTheWorstCounts) {
  const Filter low = {load(kArgument), jump(BPF_JEQ, 5, 0, 1), give(SECCOMP_RET_ERRNO), give(SECCOMP_RET_ALLOW)};
  EXPECT_EQ(ask(low), Answer::fails);
  EXPECT_EQ(ask(low, is(5)), Answer::fails);
  EXPECT_EQ(ask(low, is(6)), Answer::allows);
  EXPECT_EQ(ask(low, {1, 6}), Answer::allows) << "its low half is known";
  const Filter high = {load(kArgument + 4), jump(BPF_JEQ, 0, 1, 0), give(SECCOMP_RET_ERRNO), give(SECCOMP_RET_ALLOW)};
  EXPECT_EQ(ask(high, {1, 6}), Answer::fails) << "its high half is not";
  EXPECT_EQ(ask(high, is(6)), Answer::allows);
  EXPECT_EQ(ask(high, is(std::uint64_t{1} << 32)), Answer::fails);
  const Filter from = {load(offsetof(seccomp_data, instruction_pointer)), jump(BPF_JGT, 5, 0, 1),
                       give(SECCOMP_RET_KILL_PROCESS), give(SECCOMP_RET_ALLOW)};
  EXPECT_EQ(ask(from), Answer::ends) << "nobody knows from where";
}

TEST(FilterTest, ArgumentsThatDoNotMatterNeedNotBeKnown) {
  // As libseccomp asks for a flag of the second argument: both ways end in the same.
  const Filter same = {load(kArgument + 8), jump(BPF_JSET, 4, 0, 1), give(SECCOMP_RET_ALLOW), give(SECCOMP_RET_ALLOW)};
  EXPECT_EQ(ask(same), Answer::allows);
  const Filter nothing = {load(kArgument), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0), jump(BPF_JEQ, 0, 0, 1),
                          give(SECCOMP_RET_ALLOW), give(SECCOMP_RET_ERRNO)};
  EXPECT_EQ(ask(nothing), Answer::allows);
}

TEST(FilterTest, OneWithTooManyWaysIsUnclear) {
  Filter filter;
  for (int i = 0; i < 40; i++) {
    filter.push_back(load(kArgument));
    filter.push_back(jump(BPF_JSET, 1, 0, 1));
    filter.push_back(load(kArgument + 4));
  }
  filter.push_back(give(SECCOMP_RET_ALLOW));
  EXPECT_EQ(ask(filter), Answer::unclear);
  EXPECT_EQ(ask(filter, is(3)), Answer::allows);
}

/** Programs that the kernel takes, with no sense in them, which allow or fail. */
class Nonsense {
 public:
  explicit Nonsense(unsigned seed) : random_(seed) {}

  Filter filter() {
    Filter filter = {load(offsetof(seccomp_data, nr)), jump(BPF_JEQ, kNumber, 1, 0), give(SECCOMP_RET_ALLOW)};
    for (std::uint32_t i = 0; i < 4; i++) {
      filter.push_back(load(kArgument + 4 * one_of(12)));
      filter.push_back(BPF_STMT(BPF_ST, i));
    }
    filter.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
    for (int i = 0; i < 30; i++) filter.push_back(step());
    filter.push_back(jump(BPF_JGT, word(), 0, 1));
    for (int i = 0; i < 8; i++) filter.push_back(give(i % 2 == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EXDEV));
    return filter;
  }
  std::uint64_t value() { return std::uint64_t{word()} << 32 | word(); }

  static constexpr int kNumber = 1000;  // no call has it: allowed, it is ENOSYS

 private:
  std::uint32_t word() { return static_cast<std::uint32_t>(random_()); }
  std::uint32_t one_of(std::uint32_t count) { return word() % count; }
  sock_filter step() {
    constexpr std::uint16_t kOperations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_AND, BPF_OR, BPF_XOR};
    constexpr std::uint16_t kConditions[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    const auto source = static_cast<std::uint16_t>(one_of(2) == 0 ? BPF_K : BPF_X);
    switch (one_of(9)) {
      case 0:
        return load(kArgument + 4 * one_of(12));
      case 1:
        return BPF_STMT(BPF_LD | BPF_MEM, one_of(4));
      case 2:
        return BPF_STMT(BPF_LDX | BPF_MEM, one_of(4));
      case 3:
        return BPF_STMT(BPF_MISC | (one_of(2) == 0 ? BPF_TAX : BPF_TXA), 0);
      case 4:
        return BPF_STMT(BPF_ALU | (one_of(2) == 0 ? BPF_LSH : BPF_RSH) | BPF_K, one_of(32));
      case 5:
        return one_of(2) == 0 ? sock_filter BPF_STMT(BPF_ALU | BPF_NEG, 0)
                              : sock_filter BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 1 + one_of(9));
      case 6: {
        const auto yes = static_cast<std::uint8_t>(one_of(3));
        const auto no = static_cast<std::uint8_t>(one_of(3));
        return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | kConditions[one_of(4)] | source), word(), yes, no);
      }
      default:
        return BPF_STMT(static_cast<std::uint16_t>(BPF_ALU | kOperations[one_of(6)] | source), word());
    }
  }
  std::mt19937 random_;
};

/** The errno value of the call under this filter; -1 where there can be none. */
int by_kernel(Filter& filter, const sockdoc_argument (&arguments)[6]) {
  const pid_t child = ::fork();
  if (child == 0) {
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(255);
    const auto& a = arguments;
    ::syscall(Nonsense::kNumber, a[0].value, a[1].value, a[2].value, a[3].value, a[4].value, a[5].value);
    ::_exit(errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
}

TEST(FilterTest, SaysWhatTheKernelSays) {
  int allowed = 0;
  constexpr int kFilters = 300;
  for (unsigned seed = 0; seed < kFilters; seed++) {
    Nonsense nonsense(seed);
    Filter filter = nonsense.filter();
    sockdoc_argument arguments[6];
    for (auto& argument : arguments) argument = is(nonsense.value());
    const int error = by_kernel(filter, arguments);
    if (seed == 0 && error < 0) GTEST_SKIP() << "this kernel takes no filters";
    ASSERT_TRUE(error == ENOSYS || error == EXDEV) << "seed " << seed << ": " << error;
    const Answer answer = ask_filter(filter, Nonsense::kNumber, arguments);
    ASSERT_EQ(answer, error == ENOSYS ? Answer::allows : Answer::fails) << "seed " << seed;
    allowed += error == ENOSYS ? 1 : 0;
    // What it knows less of, it cannot like better.
    arguments[seed % 6].known = seed % 2;
    ASSERT_GE(ask_filter(filter, Nonsense::kNumber, arguments), answer) << "seed " << seed;
  }
  EXPECT_GT(allowed, kFilters / 10);
  EXPECT_LT(allowed, kFilters * 9 / 10);
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Programs under a filter of just these show it for what they come to; this for what they do not.
TEST(OwnCallsTest, HasEveryCallThatLibsdMakes) {
  const std::filesystem::path native = std::filesystem::path(SOCKDOC_SOURCE_DIR) / "native";
  const std::string listed = text_of(native / "abi/own_calls.h");
  const std::regex made(R"(\braw\(\s*SYS_(\w+)|\b(?:endpoint|option)\(\w+, SYS_(\w+))");
  std::set<std::string> names;
  for (const char* folder : {"preload", "transport", "ring"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(native / folder)) {
      const std::string text = text_of(entry.path());
      for (std::sregex_iterator one(text.begin(), text.end(), made), end; one != end; ++one) {
        names.insert((*one)[1].matched ? (*one)[1] : (*one)[2]);
      }
    }
  }
  EXPECT_GT(names.size(), 40u);
  for (const std::string& name : names) {
    const std::regex row("SYS_" + name + "\\b|\\(" + name + ",");
    EXPECT_TRUE(std::regex_search(listed, row)) << name << " is not in abi/own_calls.h";
  }
}

}  // namespace
}  // namespace sockdoc::inject
