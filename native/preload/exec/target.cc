#include "preload/exec/target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/raw.h"

namespace sockdoc::preload {
namespace {

using program::Fit;

constexpr int kMostInterpreters = 5;  // as the kernel follows them

bool gains_privileges(long fd) {
  struct stat info = {};
  if (failed(raw(SYS_fstat, fd, &info))) return false;
  const auto id = [](long number) { return static_cast<std::uint32_t>(raw(number)); };
  const long capabilities = raw(SYS_fgetxattr, fd, "security.capability", nullptr, 0);
  return program::gains_privileges({id(SYS_getuid), id(SYS_geteuid), id(SYS_getgid), id(SYS_getegid), info.st_mode,
                                    info.st_uid, info.st_gid, !failed(capabilities) && capabilities > 0});
}

long open_to_read(int folder, const char* path) {
  return raw(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
}

/** By its number in /proc: a descriptor may be open for execution alone (O_PATH). */
long open_again(int fd) {
  char path[32] = "/proc/self/fd/";
  char digits[12];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + fd % 10);
  while ((fd /= 10) != 0);
  for (char* at = path + 14; count > 0;) *at++ = digits[--count];
  return open_to_read(AT_FDCWD, path);
}

}  // namespace

Fit fit_of_target(int folder, const char* path, int flags) {
  if (path == nullptr) return Fit::unreadable;
  const bool by_descriptor = (flags & AT_EMPTY_PATH) != 0 && path[0] == 0;
  if (by_descriptor && folder < 0) return Fit::unreadable;
  long file = by_descriptor ? open_again(folder) : open_to_read(folder, path);
  char interpreter[program::kPathRoom];
  for (int i = 0; i < kMostInterpreters && !failed(file); i++) {
    const auto read = [&](std::uint64_t offset, void* into, std::size_t size) {
      const long got = raw(SYS_pread64, file, into, size, offset);
      return failed(got) ? std::size_t{0} : static_cast<std::size_t>(got);
    };
    Fit fit = program::fit_of(read, interpreter);
    if (fit != Fit::script && gains_privileges(file)) fit = Fit::gains_privileges;
    raw(SYS_close, file);
    if (fit != Fit::script) return fit;
    file = open_to_read(AT_FDCWD, interpreter);
  }
  if (!failed(file)) raw(SYS_close, file);
  return Fit::unreadable;
}

}  // namespace sockdoc::preload
