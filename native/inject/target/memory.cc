#include "inject/target/memory.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "inject/process/facts.h"
#include "inject/process/maps.h"

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

namespace {

constexpr std::size_t kPage = 4096;

/** Whether the first thread's stack is what lies at `address`, or next above it: then it grows, down to there. */
bool at_growing_stack(pid_t pid, Address address) {
  const auto maps = read_maps(pid);
  if (!maps) return false;
  const auto above =
      std::find_if(maps->begin(), maps->end(), [&](const Mapping& one) { return one.end > number(address); });
  return above != maps->end() && above->path == "[stack]";
}

}  // namespace

bool Memory::write_stack(Address at, std::span<const std::uint8_t> bytes) const {
  if (write(at, bytes.data(), bytes.size())) return true;
  // Elsewhere that file would let us write into pages that guard a stack.
  if (!at_growing_stack(pid_, at)) return false;
  const Fd memory(::open((process_folder(pid_) + "/mem").c_str(), O_RDWR | O_CLOEXEC));
  return memory.valid() && ::pwrite(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(number(at))) ==
                               static_cast<ssize_t>(bytes.size());
}

bool Memory::has_stack(Address top, std::size_t size) const {
  char byte = 0;
  for (std::size_t below = kPage; below <= size; below += kPage) {
    if (read(Address{number(top) - below}, &byte, 1) != 1) return at_growing_stack(pid_, top);
  }
  return true;
}

std::string Memory::text(Address at, std::size_t most) const {
  std::string result;
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
