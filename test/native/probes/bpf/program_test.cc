#include "probes/bpf/program.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probes/bpf/assembler.h"
#include "probes/bpf/map.h"

namespace sockdoc::bpf {
namespace {

TEST(Assembler, JumpsGoToTheirLabels) {
  Assembler a;
  const auto again = a.label();
  const auto end = a.label();
  a.bind(again);
  a.jump_if(If::equal, Reg::r1, 0, end);
  a.move_u64(Reg::r2, 0x123456789abcdef0);  // two instructions
  a.jump(again);
  a.bind(end);
  a.exit();
  const auto linked = a.finish();
  ASSERT_TRUE(linked);
  ASSERT_EQ(linked->size(), 5u);
  EXPECT_EQ((*linked)[0].off, 3);
  EXPECT_EQ((*linked)[1].imm, static_cast<std::int32_t>(0x9abcdef0));
  EXPECT_EQ((*linked)[2].imm, 0x12345678);
  EXPECT_EQ((*linked)[3].off, -4);
}

TEST(Assembler, RefusesWhatCannotBeLinked) {
  Assembler nowhere;
  nowhere.jump(nowhere.label());
  EXPECT_EQ(nowhere.finish().error().code, EINVAL);

  Assembler twice;
  const auto label = twice.label();
  twice.bind(label);
  twice.bind(label);
  EXPECT_EQ(twice.finish().error().code, EINVAL);

  Assembler far;
  const auto end = far.label();
  far.jump(end);
  for (int i = 0; i < 40000; ++i) far.move(Reg::r0, 0);
  far.bind(end);
  EXPECT_EQ(far.finish().error().code, ERANGE);

  Assembler offset;
  offset.load(Size::u64, Reg::r0, Reg::r1, 1 << 20);
  EXPECT_EQ(offset.finish().error().code, ERANGE);
}

/** Skips where maps may not be made; EPERM is the only reason that is accepted. */
#define CREATE_OR_SKIP(name, ...)                                       \
  auto name##_made = Map::create(__VA_ARGS__);                          \
  if (!name##_made && name##_made.error().code == EPERM) {              \
    GTEST_SKIP() << "needs CAP_BPF: " << name##_made.error().message(); \
  }                                                                     \
  ASSERT_TRUE(name##_made) << name##_made.error().message();            \
  const Map& name = *name##_made

TEST(Map, HoldsWhatIsPutIn) {
  CREATE_OR_SKIP(map, {.type = BPF_MAP_TYPE_HASH, .key_bytes = 4, .value_bytes = 8, .max_entries = 3, .name = "test"});
  for (std::uint32_t key = 1; key <= 3; ++key) ASSERT_TRUE(map.put(key, std::uint64_t{key} * 10));
  EXPECT_EQ(map.put(std::uint32_t{4}, std::uint64_t{1}).error().code, E2BIG);
  EXPECT_EQ(map.put(std::uint32_t{1}, std::uint32_t{1}).error().code, EINVAL);
  EXPECT_EQ(map.get<std::uint64_t>(std::uint32_t{2}), 20u);
  EXPECT_FALSE(map.get<std::uint64_t>(std::uint32_t{4}));
  std::uint64_t sum = 0;
  map.for_each([&](const std::byte*, std::span<const std::byte> value) {
    std::uint64_t number = 0;
    ASSERT_EQ(value.size(), sizeof number);
    std::memcpy(&number, value.data(), sizeof number);
    sum += number;
  });
  EXPECT_EQ(sum, 60u);
  const std::uint32_t gone = 2;
  EXPECT_TRUE(map.remove(&gone));
  EXPECT_FALSE(map.remove(&gone));
}

TEST(Map, PerCpuValuesAreRoundedUp) {
  CREATE_OR_SKIP(map, {.type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_bytes = 4, .value_bytes = 12, .max_entries = 1});
  const auto cpus = possible_cpus();
  ASSERT_TRUE(cpus);
  EXPECT_GE(static_cast<long>(*cpus), ::sysconf(_SC_NPROCESSORS_CONF));
  EXPECT_EQ(map.read_bytes(), 16u * *cpus);
  std::vector<std::byte> bytes(map.read_bytes());
  for (std::size_t cpu = 0; cpu < *cpus; ++cpu) bytes[cpu * 16] = static_cast<std::byte>(cpu + 1);
  const std::uint32_t key = 0;
  ASSERT_TRUE(map.write(&key, bytes));
  const auto values = map.get_per_cpu<std::uint32_t>(key);
  ASSERT_EQ(values.size(), *cpus);
  for (std::size_t cpu = 0; cpu < *cpus; ++cpu) EXPECT_EQ(values[cpu], cpu + 1);
}

TEST(Program, CountsItsTracepointAndEndsWithTheObject) {
  CREATE_OR_SKIP(map, {.type = BPF_MAP_TYPE_ARRAY, .key_bytes = 4, .value_bytes = 8, .max_entries = 1});
  Assembler a;  // counts this process's calls of getppid()
  const auto end = a.label();
  a.load(Size::u64, Reg::r6, Reg::r1, 8);
  a.jump_if(If::not_equal, Reg::r6, SYS_getppid, end);
  a.call(BPF_FUNC_get_current_pid_tgid);
  a.alu(Alu::shift_right, Reg::r0, 32);
  a.jump_if(If::not_equal, Reg::r0, ::getpid(), end);
  a.load_map_value(Reg::r1, map, 0);
  a.move(Reg::r2, 1);
  a.atomic_add(Size::u64, Reg::r1, 0, Reg::r2);
  a.bind(end);
  a.move(Reg::r0, 0);
  a.exit();
  const std::uint32_t key = 0;
  {
    const auto attached = Attached::attach({.name = "test"}, a, "sys_enter");
    if (!attached && attached.error().code == ENOENT) GTEST_SKIP() << "kernel without raw_syscalls";
    ASSERT_TRUE(attached) << attached.error().message();
    for (int i = 0; i < 50; ++i) (void)::getppid();
    EXPECT_EQ(map.get<std::uint64_t>(key), 50u);
  }
  (void)::getppid();
  EXPECT_EQ(map.get<std::uint64_t>(key), 50u);
}

TEST(Program, ARefusedOneKeepsWhatTheVerifierSays) {
  CREATE_OR_SKIP(map, {.type = BPF_MAP_TYPE_HASH, .key_bytes = 4, .value_bytes = 8, .max_entries = 1});
  Assembler a;
  a.store(Size::u32, Reg::r10, -4, 0);
  a.lookup(map, -4);
  a.load(Size::u64, Reg::r1, Reg::r0, 0);  // without looking whether there is an entry
  a.exit();
  const auto program = load({.name = "refused"}, a);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, EINVAL);
  EXPECT_NE(program.error().what.find("map_value_or_null"), std::string::npos) << program.error().what;
}

}  // namespace
}  // namespace sockdoc::bpf
