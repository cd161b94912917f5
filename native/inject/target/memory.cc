#include "inject/target/memory.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "inject/process/maps.h"

namespace sockdoc::inject {

std::size_t Memory::read(Address at, void* into, std::size_t size) const {
  const Piece piece{at, into, size};
  return access_->move(Access::Way::read, {&piece, 1});
}

namespace {

std::size_t size_of(std::span<const Piece> pieces) {
  std::size_t size = 0;
  for (const Piece& piece : pieces) size += piece.size;
  return size;
}

}  // namespace

bool Memory::read_all(std::span<const Piece> pieces) const {
  return access_->move(Access::Way::read, pieces) == size_of(pieces);
}

bool Memory::write_all(std::span<const Piece> pieces) const {
  return access_->move(Access::Way::write, pieces) == size_of(pieces);
}

bool Memory::write(Address at, const void* from, std::size_t size) const {
  const Piece piece{at, const_cast<void*>(from), size};
  return access_->move(Access::Way::write, {&piece, 1}) == size;
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
  const Piece piece{at, const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  return access_->move(Access::Way::write_file, {&piece, 1}) == bytes.size();
}

bool Memory::has_stack(Address top, std::size_t size) const {
  char byte = 0;
  std::vector<Piece> pages;
  for (std::size_t below = kPage; below <= size; below += kPage)
    pages.push_back({Address{number(top) - below}, &byte, 1});
  return read_all(pages) || at_growing_stack(pid_, top);
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

Refused Memory::stalled() const {
  const auto at = access_->stalled();
  if (!at) return std::nullopt;
  const auto maps = read_maps(pid_);
  const auto end = maps ? maps->end() : std::vector<Mapping>::const_iterator();
  const auto found =
      maps ? std::find_if(maps->begin(), end, [&](const Mapping& one) { return one.holds(number(*at)); }) : end;
  const bool of_file = maps && found != end && found->path.starts_with('/');
  char address[32];
  std::snprintf(address, sizeof address, "0x%" PRIx64, number(*at));
  const std::string where = std::string(address) + (of_file ? " (" + found->path + ")" : "");
  return Refusal{"stalled",
                 "Memory of it at " + where +
                     " does not come when it is read: who is to bring its pages does not answer (userfaultfd, or a "
                     "file system as FUSE or NFS).",
                 "Try again once that answers."};
}

}  // namespace sockdoc::inject
