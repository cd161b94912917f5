#include "inject/target/image.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <algorithm>
#include <vector>

#include "inject/arch/x86_64.h"

namespace sockdoc::inject {
namespace {

/** By a child of ours, which Yama may forbid. */
[[maybe_unused]] const bool may_be_read = ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY) == 0;

std::optional<Image> own_libc() {
  const auto maps = read_maps(::getpid());
  return maps ? find_library(Memory(::getpid()), *maps, "libc.so.6") : std::nullopt;
}

Address address_of(const void* pointer) { return Address{reinterpret_cast<std::uint64_t>(pointer)}; }

TEST(InjectImage, FindsWhatTheLoaderFinds) {
  const auto libc = own_libc();
  ASSERT_TRUE(libc);
  void* handle = ::dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(handle, nullptr);
  for (const char* name : {"mmap", "munmap", "syscall", "dlopen", "environ", "__errno_location"}) {
    const auto found = libc->symbol(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(*found, address_of(::dlsym(handle, name))) << name;
  }
  EXPECT_FALSE(libc->symbol("sockdoc_no_such_function"));
  EXPECT_FALSE(libc->symbol(""));
  ::dlclose(handle);
}

TEST(InjectImage, FindsTheEndOfSignalHandlers) {
  const auto libc = own_libc();
  ASSERT_TRUE(libc);
  const auto restorer = libc->code(arch::restorer_code());
  ASSERT_TRUE(restorer);
  EXPECT_TRUE(libc->holds(*restorer));
  EXPECT_FALSE(libc->code("no such bytes anywhere in it, surely"));
}

TEST(InjectImage, LeavesAloneWhatIsNoImage) {
  const Memory memory(::getpid());
  const std::string text(4096, 'x');
  EXPECT_FALSE(Image::at(memory, address_of(text.data())));
  EXPECT_FALSE(Image::at(memory, Address{0}));
  std::string torn("\177ELF\2\1\1", 7);
  torn.resize(4096, '\377');
  EXPECT_FALSE(Image::at(memory, address_of(torn.data())));
}

TEST(InjectMemory, ReadsAndWritesSeveralPiecesAndLargeOnes) {
  const Memory memory(::getpid());
  std::string from(1'000'000, 'z');
  from.back() = 'e';
  std::string into(from.size(), ' ');
  EXPECT_EQ(memory.read(address_of(from.data()), into.data(), into.size()), from.size());
  EXPECT_EQ(into, from);
  std::vector<int> there(1000);
  std::vector<int> here(there.size());
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < there.size(); i++) {
    here[i] = static_cast<int>(i);
    pieces.push_back({address_of(&there[there.size() - 1 - i]), &here[i], sizeof(int)});
  }
  EXPECT_TRUE(memory.write_all(pieces));
  EXPECT_EQ(there.front(), 999);
  EXPECT_EQ(there.back(), 0);
  std::fill(here.begin(), here.end(), 0);
  EXPECT_TRUE(memory.read_all(pieces));
  EXPECT_EQ(here.back(), 999);
  pieces[500].at = Address{8};
  EXPECT_FALSE(memory.read_all(pieces));
  EXPECT_FALSE(memory.access().stalled());
}

TEST(InjectMemory, ReadsTextAcrossPagesAndStopsWhereNothingIs) {
  const Memory memory(::getpid());
  const std::string text(9000, 'y');
  EXPECT_EQ(memory.text(address_of(text.c_str()), 20000), text);
  EXPECT_EQ(memory.text(address_of(text.c_str()), 100), text.substr(0, 100));
  EXPECT_EQ(memory.text(Address{8}, 100), "");
  EXPECT_FALSE(memory.value<int>(Address{8}));
  EXPECT_FALSE(memory.set(Address{8}, 1));
}

}  // namespace
}  // namespace sockdoc::inject
