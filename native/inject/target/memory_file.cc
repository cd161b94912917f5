#include "inject/target/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

namespace sockdoc::inject {
namespace {

/** All memory files are on one file system of the kernel's own, which nobody can mount. */
bool is_memory_file(const struct stat& file) {
  const Fd ours(::memfd_create("sockdoc-inject", MFD_CLOEXEC));
  struct stat memory {};
  return ours.valid() && ::fstat(ours.get(), &memory) == 0 && file.st_dev == memory.st_dev && S_ISREG(file.st_mode);
}

}  // namespace

Fd open_memory_file(const std::string& link) {
  const Fd handle(::open(link.c_str(), O_PATH | O_CLOEXEC));
  struct stat file {};
  if (!handle.valid() || ::fstat(handle.get(), &file) != 0) return {};
  if (!is_memory_file(file) || file.st_size != 0) {
    errno = EPERM;
    return {};
  }
  return Fd(::open(("/proc/self/fd/" + std::to_string(handle.get())).c_str(), O_WRONLY | O_CLOEXEC));
}

}  // namespace sockdoc::inject
