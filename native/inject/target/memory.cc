#include "inject/target/memory.h"

#include <sys/uio.h>

#include <algorithm>

namespace sockdoc::inject {

std::size_t Memory::read(Address at, void* into, std::size_t size) const {
  const iovec here{into, size};
  const iovec there{reinterpret_cast<void*>(number(at)), size};
  const ssize_t got = ::process_vm_readv(pid_, &here, 1, &there, 1, 0);
  return got < 0 ? 0 : static_cast<std::size_t>(got);
}

bool Memory::write(Address at, const void* from, std::size_t size) const {
  const iovec here{const_cast<void*>(from), size};
  const iovec there{reinterpret_cast<void*>(number(at)), size};
  return ::process_vm_writev(pid_, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

std::string Memory::text(Address at, std::size_t most) const {
  std::string result;
  constexpr std::size_t kPage = 4096;
  while (result.size() < most) {
    char part[kPage];
    // Not across a page's end: the next one may not be there.
    const std::size_t room = std::min(most - result.size(), kPage - number(at) % kPage);
    const std::size_t got = read(at, part, room);
    const std::size_t length = ::strnlen(part, got);
    result.append(part, length);
    if (length < room) return result;
    at = at + got;
  }
  return result;
}

}  // namespace sockdoc::inject
