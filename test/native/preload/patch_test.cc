#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "preload/originals.h"
#include "preload/patch/patcher.h"

namespace sockdoc::preload {
namespace {

constexpr std::size_t kPage = 4096;

/** Code of our own, as a function to patch. */
class Code {
 public:
  Code() {
    memory_ = static_cast<std::uint8_t*>(
        mmap(nullptr, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~Code() { munmap(memory_, kPage); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  /** Patching leaves it as code usually is: not writable. */
  void make_writable() { mprotect(memory_, kPage, PROT_READ | PROT_WRITE | PROT_EXEC); }

  Function put(const std::vector<std::uint8_t>& bytes) {
    std::memcpy(memory_ + used_, bytes.data(), bytes.size());
    const Function result{memory_ + used_, bytes.size()};
    used_ += (bytes.size() + 15) & ~std::size_t{15};
    return result;
  }

 private:
  std::uint8_t* memory_ = nullptr;
  std::size_t used_ = 0;
};

using Number = int (*)(int);
int call(const Function& function, int argument) {
  return reinterpret_cast<Number>(const_cast<std::uint8_t*>(function.at))(argument);
}

constinit void* original = nullptr;
int hook_adds_thousand(int argument) { return reinterpret_cast<Number>(original)(argument) + 1000; }

Request request_for(const Function& function) {
  return {"tried", function, reinterpret_cast<void*>(hook_adds_thousand), &original};
}

/** Patched it gives 1000 more; before and after it does what it did, from the same bytes. */
void expect_patchable(const std::vector<std::uint8_t>& bytes, std::initializer_list<int> arguments) {
  Code code;
  const Function function = code.put(bytes);
  std::vector<int> plain;
  for (const int argument : arguments) plain.push_back(call(function, argument));
  Patcher patcher;
  const Request request = request_for(function);
  const Refusal refusal = patcher.prepare({&request, 1});
  ASSERT_FALSE(refusal.refused()) << refusal.what;
  EXPECT_EQ(std::memcmp(function.at, bytes.data(), bytes.size()), 0) << "prepare() must not touch the function";
  ASSERT_FALSE(patcher.apply().refused());
  std::size_t i = 0;
  for (const int argument : arguments) EXPECT_EQ(call(function, argument), plain[i++] + 1000);
  ASSERT_FALSE(patcher.undo().refused());
  EXPECT_EQ(std::memcmp(function.at, bytes.data(), bytes.size()), 0);
  i = 0;
  for (const int argument : arguments) EXPECT_EQ(call(function, argument), plain[i++]);
}

void expect_refused(const std::vector<std::uint8_t>& bytes, const char* why) {
  Code code;
  const Request request = request_for(code.put(bytes));
  original = nullptr;
  Patcher patcher;
  const Refusal refusal = patcher.prepare({&request, 1});
  ASSERT_TRUE(refusal.refused());
  EXPECT_STREQ(refusal.what, why);
  EXPECT_STREQ(refusal.name, "tried");
  EXPECT_EQ(original, nullptr);
  EXPECT_EQ(std::memcmp(request.function.at, bytes.data(), bytes.size()), 0);
  EXPECT_TRUE(patcher.apply().refused());
}

TEST(Patch, MovesPlainInstructions) {
  expect_patchable({0x8d, 0x47, 0x07,  // lea 7(%rdi), %eax
                    0x83, 0xc0, 0x01,  // add $1, %eax
                    0xc3},
                   {0, 5, -8});
}

TEST(Patch, KeepsEndbr64AndPatchesBehindIt) {
  const std::vector<std::uint8_t> bytes = {0xf3, 0x0f, 0x1e, 0xfa, 0x8d, 0x47, 0x07, 0x83, 0xc0, 0x01, 0xc3};
  expect_patchable(bytes, {0, 5});
  Code code;
  const Request request = request_for(code.put(bytes));
  Patcher patcher;
  ASSERT_FALSE(patcher.prepare({&request, 1}).refused());
  EXPECT_EQ(patcher.sites()[0].at, request.function.at + 4);
}

TEST(Patch, FixesWhatIsRelativeToTheInstructionPointer) {
  expect_patchable({0x8b, 0x05, 0x03, 0x00, 0x00, 0x00,  // mov 3(%rip), %eax: the number behind ret
                    0x01, 0xf8,                          // add %edi, %eax
                    0xc3, 0x39, 0x30, 0x00, 0x00},       // 12345
                   {0, 100});
}

TEST(Patch, WidensShortConditionalJumps) {
  expect_patchable({0x85, 0xff,                    // test %edi, %edi
                    0x74, 0x06,                    // je   +6
                    0xb8, 0x01, 0x00, 0x00, 0x00,  // mov  $1, %eax
                    0xc3,                          //
                    0xb8, 0x02, 0x00, 0x00, 0x00,  // mov  $2, %eax
                    0xc3},
                   {0, 1});
}

TEST(Patch, FollowsAJumpThatSomebodyElsePutThere) {
  expect_patchable(
      {0xe9, 0x0b, 0x00, 0x00, 0x00,                                                        // jmp +11
       0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x8d, 0x47, 0x2a,  // lea 42(%rdi), %eax
       0xc3},
      {1, 2});
}

TEST(Patch, CarriesASystemCallAlong) {
  const std::vector<std::uint8_t> bytes = {0xb8, 0x27, 0x00, 0x00, 0x00,  // mov $39 (getpid), %eax
                                           0x0f, 0x05,                    // syscall
                                           0xc3};
  expect_patchable(bytes, {0});
  Code code;
  const Request request = request_for(code.put({0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0xc3}));
  Patcher patcher;
  ASSERT_FALSE(patcher.prepare({&request, 1}).refused());
  EXPECT_TRUE(patcher.sites()[0].syscall_inside);
  EXPECT_EQ(patcher.sites()[0].displaced, 10);
}

TEST(Patch, RefusesWithTheReason) {
  expect_refused({0x31, 0xc0, 0xc3}, "it ends within its first bytes");
  expect_refused({0xe8, 0x00, 0x00, 0x00, 0x00, 0xc3}, "its first bytes hold a call");
  expect_refused({0xe3, 0x01, 0x90, 0x90, 0x90, 0x90, 0xc3}, "its first bytes hold a loop instruction");
  expect_refused({0x06, 0x90, 0x90, 0x90, 0x90, 0xc3}, "its first bytes are not understood");
  expect_refused({0x90, 0x90, 0x90, 0x90, 0x90, 0xeb, 0xfa, 0xc3}, "it jumps into its first bytes");
}

TEST(Patch, IsAllOrNothing) {
  Code code;
  const std::vector<std::uint8_t> good = {0x8d, 0x47, 0x07, 0x83, 0xc0, 0x01, 0xc3};
  void* first = nullptr;
  const Request requests[] = {
      {"good", code.put(good), reinterpret_cast<void*>(hook_adds_thousand), &first},
      {"bad", code.put({0x31, 0xc0, 0xc3}), reinterpret_cast<void*>(hook_adds_thousand), &original}};
  Patcher patcher;
  const Refusal refusal = patcher.prepare(requests);
  EXPECT_STREQ(refusal.name, "bad");
  EXPECT_EQ(first, nullptr);
  EXPECT_TRUE(patcher.sites().empty());
  EXPECT_EQ(call(requests[0].function, 1), 9);
}

TEST(Patch, LeavesEntriesThatSomebodyChangedMeanwhile) {
  Code code;
  const Function function = code.put({0x8d, 0x47, 0x07, 0x83, 0xc0, 0x01, 0xc3});
  auto* bytes = const_cast<std::uint8_t*>(function.at);
  const Request request = request_for(function);
  Patcher patcher;
  ASSERT_FALSE(patcher.prepare({&request, 1}).refused());
  bytes[2] = 9;
  EXPECT_STREQ(patcher.apply().what, "its first bytes were changed by somebody else");
  EXPECT_EQ(call(function, 0), 10);
  bytes[2] = 7;
  ASSERT_FALSE(patcher.apply().refused());
  code.make_writable();
  const std::uint8_t ours = bytes[1];
  bytes[1]++;
  EXPECT_TRUE(patcher.undo().refused());
  bytes[1] = ours;
  EXPECT_FALSE(patcher.undo().refused());
}

TEST(Patch, ReachesHooksThatAreFarAway) {
  // The test's own code and libraries may be near; a page at a low address is not.
  void* far = mmap(reinterpret_cast<void*>(0x10000000), kPage, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (far == MAP_FAILED) GTEST_SKIP() << "no memory at a low address";
  const std::uint8_t answer[] = {0xb8, 0x2a, 0x00, 0x00, 0x00, 0xc3};  // mov $42, %eax; ret
  std::memcpy(far, answer, sizeof answer);
  Code code;
  Request request = request_for(code.put({0x8d, 0x47, 0x07, 0x83, 0xc0, 0x01, 0xc3}));
  request.hook = far;
  Patcher patcher;
  ASSERT_FALSE(patcher.prepare({&request, 1}).refused());
  ASSERT_FALSE(patcher.apply().refused());
  EXPECT_EQ(call(request.function, 0), 42);
  ASSERT_FALSE(patcher.undo().refused());
  EXPECT_EQ(call(request.function, 0), 8);
  munmap(far, kPage);
}

/** Small hooks in machine code: count, and go on to the original with all registers and the stack as they were. */
class CountingHooks {
 public:
  CountingHooks() {
    memory_ = static_cast<std::uint8_t*>(
        mmap(nullptr, kPage * 2, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~CountingHooks() { munmap(memory_, kPage * 2); }
  CountingHooks(const CountingHooks&) = delete;
  CountingHooks& operator=(const CountingHooks&) = delete;

  void* hook(std::size_t i) {
    std::uint8_t* at = memory_ + i * kEach;
    // lock incq 16(%rip) → the count; jmp *0x...(%rip) → the original
    const std::uint8_t code[] = {0xf0, 0x48, 0xff, 0x05, 0x08, 0, 0, 0, 0xff, 0x25, 0x0a, 0, 0, 0};
    std::memcpy(at, code, sizeof code);
    return at;
  }
  std::uint64_t count(std::size_t i) const {
    std::uint64_t value = 0;
    std::memcpy(&value, memory_ + i * kEach + 16, sizeof value);
    return value;
  }
  void** original(std::size_t i) { return reinterpret_cast<void**>(memory_ + i * kEach + 24); }

 private:
  static constexpr std::size_t kEach = 32;
  std::uint8_t* memory_ = nullptr;
};

/** The bytes of the text as the file of libc has them. */
std::vector<std::uint8_t> text_of_file(const Image& libc) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    std::uintptr_t begin = 0;
    std::uintptr_t offset = 0;
    char permissions[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%*x %4s %lx", &begin, permissions, &offset) != 3) continue;
    if (permissions[2] != 'x' || line.find("/libc.so.6") == std::string::npos) continue;
    std::ifstream file(line.substr(line.find('/')), std::ios::binary);
    const auto text = reinterpret_cast<std::uintptr_t>(libc.text().data());
    file.seekg(static_cast<std::streamoff>(offset + text - begin));
    std::vector<std::uint8_t> bytes(libc.text().size());
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return bytes;
  }
  return {};
}

using Six = long (*)(long, long, long, long, long, long);

/** Calls that fail without an effect whatever the function is: descriptor -1, and nothing valid behind it. */
std::pair<long, int> harmless_call(const Function& function, const std::string& name) {
  errno = 0;
  long result = 0;
  const auto entry = reinterpret_cast<Six>(const_cast<std::uint8_t*>(function.at));
  if (name == "close_range") {
    result = entry(5, 1, 0, 0, 0, 0);
  } else if (name == "_Fork" || name == "fork") {
    result = entry(0, 0, 0, 0, 0, 0);
    if (result == 0) _exit(0);
    result = result > 0 ? 1 : -1;
  } else if (name == "syscall") {
    result = entry(0 /* read */, -1, 0, 0, 0, 0);
  } else if (name == "socket" || name == "epoll_create") {
    result = entry(-1, -1, -1, 0, 0, 0);
  } else if (name == "poll" || name == "ppoll") {
    result = entry(0, -1, 0, 0, 0, 0);  // an event count that RLIMIT_NOFILE forbids
  } else if (name == "execve" || name == "clone") {
    result = entry(0, 0, 0, 0, 0, 0);  // no function to begin with
  } else {
    result = entry(-1, -1, 0, 0, 0, 0);
  }
  return {static_cast<int>(result), errno};
}

TEST(Patch, EveryEntryOfThisLibcIsPatchedCalledAndRestored) {
  const Image libc = Image::of_library("libc.so.6");
  ASSERT_TRUE(libc.valid());
  const std::vector<std::uint8_t> file = text_of_file(libc);
  ASSERT_EQ(file.size(), libc.text().size());
  const auto same_as_file = [&] { return std::memcmp(file.data(), libc.text().data(), file.size()) == 0; };
  ASSERT_TRUE(same_as_file());

  const std::span<const Request> wanted = requests_for(libc);
  ASSERT_GT(wanted.size(), 40U);
  CountingHooks hooks;
  std::vector<Request> requests(wanted.begin(), wanted.end());
  for (std::size_t i = 0; i < requests.size(); i++) {
    requests[i].hook = hooks.hook(i);
    requests[i].original = hooks.original(i);
  }
  std::vector<std::pair<long, int>> plain;
  for (const Request& request : requests) plain.push_back(harmless_call(request.function, request.name));

  Patcher patcher;
  const Refusal refusal = patcher.prepare(requests);
  ASSERT_FALSE(refusal.refused()) << refusal.what << " " << refusal.name;
  ASSERT_TRUE(same_as_file());
  ASSERT_EQ(patcher.sites().size(), requests.size());
  std::vector<std::uint64_t> counts;
  std::vector<std::pair<long, int>> patched;
  ASSERT_FALSE(patcher.apply().refused());
  for (std::size_t i = 0; i < requests.size(); i++) {
    const std::uint64_t before = hooks.count(i);
    patched.push_back(harmless_call(requests[i].function, requests[i].name));
    counts.push_back(hooks.count(i) - before);
  }
  ASSERT_FALSE(patcher.undo().refused());
  EXPECT_TRUE(same_as_file());
  for (std::size_t i = 0; i < requests.size(); i++) {
    EXPECT_GE(counts[i], 1U) << requests[i].name;
    EXPECT_EQ(patched[i], plain[i]) << requests[i].name;
    EXPECT_EQ(harmless_call(requests[i].function, requests[i].name), plain[i]) << requests[i].name;
    // The trampoline goes on working: a thread may be in it.
    const Function trampoline{patcher.sites()[i].trampoline, 0};
    EXPECT_EQ(harmless_call(trampoline, requests[i].name), plain[i]) << requests[i].name;
  }
}

TEST(Patch, FindsTheInternalCloseByFollowingJumps) {
  const Image libc = Image::of_library("libc.so.6");
  const Function exported = libc.function("__close_nocancel");
  if (!exported.found()) GTEST_SKIP() << "this libc does not export it";
  EXPECT_EQ(find_system_call(libc, libc.function("_IO_file_close"), 3).at, exported.at);
  EXPECT_FALSE(find_system_call(libc, libc.function("_IO_file_close"), 57).found());
}

TEST(Patch, FindsAllVersionsOfAFunction) {
  const Image libc = Image::of_library("libc.so.6");
  EXPECT_TRUE(libc.function("posix_spawn", 1).found());
  EXPECT_NE(libc.function("posix_spawn", 0).at, libc.function("posix_spawn", 1).at);
  EXPECT_FALSE(libc.function("posix_spawn", 2).found());
  EXPECT_FALSE(libc.function("no_such_function").found());
  EXPECT_FALSE(Image::of_library("libnothing.so.9").valid());
}

}  // namespace
}  // namespace sockdoc::preload
