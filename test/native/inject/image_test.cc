#include "inject/target/image.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "inject/arch/x86_64.h"

namespace sockdoc::inject {
namespace {

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
