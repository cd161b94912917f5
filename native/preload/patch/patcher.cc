#include "preload/patch/patcher.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "base/raw.h"

namespace sockdoc::preload {
namespace {

constexpr std::size_t kBlock = 16384;
constexpr std::size_t kPage = 4096;
constexpr std::uintptr_t kStep = 1 << 20;
constexpr std::uintptr_t kFarthest = 0x70000000;  // of the 2 GiB that a jump reaches, with room for libc itself
constexpr std::uint8_t kEndbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
constexpr std::size_t kFarJump = 14;  // jmp *(%rip), and the address behind it
static_assert(kMaxSites * (kMoved + kFarJump + 2 * 16) <= kBlock);

bool within_reach(std::uintptr_t from, std::uintptr_t to) {
  const auto distance = static_cast<std::int64_t>(to - from);
  return distance < static_cast<std::int64_t>(kFarthest) && distance > -static_cast<std::int64_t>(kFarthest);
}

/** MAP_FIXED_NOREPLACE is a mere hint to a kernel before 4.17: what came elsewhere is given back. */
std::uint8_t* map_at(std::uintptr_t address, int protection) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  const long mapped = raw(SYS_mmap, address, kBlock, protection, kFlags, -1, 0);
  if (failed(mapped)) return nullptr;
  if (static_cast<std::uintptr_t>(mapped) == address) return reinterpret_cast<std::uint8_t*>(mapped);
  raw(SYS_munmap, mapped, kBlock);
  return nullptr;
}

/**
 * Byte by byte, not by memcpy: the function that does it may be among those patched one day. The thread sanitizer keeps
 * no account of code.
 */
[[gnu::no_sanitize_thread]] void store(std::uint8_t* at, const std::uint8_t* bytes) {
  for (std::size_t i = 0; i < kJump; i++) static_cast<volatile std::uint8_t*>(at)[i] = bytes[i];
}

}  // namespace

Refusal Patcher::map_block(const Request& near) {
  const auto entry = reinterpret_cast<std::uintptr_t>(near.function.at);
  const std::uintptr_t middle = entry & ~(kStep - 1);
  const int protection = writer_ == Writer::own ? PROT_READ | PROT_WRITE : PROT_READ | PROT_EXEC;
  for (std::uintptr_t distance = kStep; distance < kFarthest && block_ == nullptr; distance += kStep) {
    if (middle > distance) block_ = map_at(middle - distance, protection);
    if (block_ == nullptr) block_ = map_at(middle + distance, protection);
  }
  if (block_ == nullptr) return {.what = "no free memory within reach of a jump", .error = ENOMEM};
  return {};
}

Refusal Patcher::map_draft() {
  if (writer_ == Writer::own) {
    draft_ = block_;
    return {};
  }
  const long mapped = raw(SYS_mmap, 0, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (failed(mapped)) return {.what = "no memory", .error = static_cast<int>(-mapped)};
  draft_ = reinterpret_cast<std::uint8_t*>(mapped);
  return {};
}

Refusal Patcher::close_block() const {
  if (writer_ == Writer::tracer) return {};
  const long result = raw(SYS_mprotect, block_, kBlock, PROT_READ | PROT_EXEC);
  if (!failed(result)) return {};
  return {.what = "memory may not be made executable", .error = static_cast<int>(-result)};
}

Refusal Patcher::plan(const Request& request) {
  if (count_ == kMaxSites) return {.what = "more entries than there is room for", .name = request.name};
  const std::span<const std::uint8_t> code = request.function.code();
  const bool landing = code.size() > sizeof kEndbr64 && std::memcmp(code.data(), kEndbr64, sizeof kEndbr64) == 0;
  const std::size_t skip = landing ? sizeof kEndbr64 : 0;

  const std::span<std::uint8_t, kMoved> room(draft_ + used_, kMoved);
  const Relocated moved = relocate(code.subspan(skip), room, reinterpret_cast<std::uintptr_t>(block_ + used_));
  if (moved.displaced == 0) return {.what = moved.why, .name = request.name};
  if (jumps_into(request.function, skip, moved.displaced)) {
    return {.what = "it jumps into its first bytes", .name = request.name};
  }
  Site& site = sites_[count_++];
  site.at = const_cast<std::uint8_t*>(code.data()) + skip;
  site.displaced = moved.displaced;
  site.syscall_inside = moved.syscall_inside;
  site.trampoline = block_ + used_;
  used_ += kMoved;

  auto to = reinterpret_cast<std::uintptr_t>(request.hook);
  const auto end = reinterpret_cast<std::uintptr_t>(site.at) + kJump;
  if (!within_reach(end, to)) {
    std::uint8_t* far = draft_ + used_;
    const std::uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0};
    std::memcpy(far, jump, sizeof jump);
    std::memcpy(far + sizeof jump, &to, sizeof to);
    to = reinterpret_cast<std::uintptr_t>(block_ + used_);
    used_ += 16;
  }
  std::memcpy(site.before, site.at, kJump);
  site.after[0] = 0xe9;
  const auto distance = static_cast<std::int32_t>(to - end);
  std::memcpy(site.after + 1, &distance, sizeof distance);
  return {};
}

Refusal Patcher::prepare(std::span<const Request> requests) {
  if (requests.empty() || count_ != 0) return {.what = "nothing to prepare"};
  Refusal refusal = map_block(requests.front());
  if (!refusal.refused()) refusal = map_draft();
  for (std::size_t i = 0; i < requests.size() && !refusal.refused(); i++) refusal = plan(requests[i]);
  if (!refusal.refused()) refusal = close_block();
  if (refusal.refused()) {
    if (block_ != nullptr) raw(SYS_munmap, block_, kBlock);
    if (draft_ != nullptr && draft_ != block_) raw(SYS_munmap, draft_, kBlock);
    *this = Patcher{};
    return refusal;
  }
  for (std::size_t i = 0; i < requests.size(); i++) {
    *requests[i].original = const_cast<std::uint8_t*>(sites_[i].trampoline);
  }
  return {};
}

/**
 * Writable and executable at once, since that is refused, where it is, before anything was written: a text segment
 * that was written first could be refused its way back to executable.
 */
Refusal Patcher::write(bool patched) {
  std::uintptr_t low = ~std::uintptr_t{0};
  std::uintptr_t high = 0;
  for (const Site& site : sites()) {
    const auto at = reinterpret_cast<std::uintptr_t>(site.at);
    if (at < low) low = at;
    if (at + kJump > high) high = at + kJump;
    // A tracer writes before apply(), and behind undo().
    const bool as_after = writer_ == Writer::tracer || !patched;
    if (std::memcmp(site.at, as_after ? site.after : site.before, kJump) != 0) {
      return {.what = "its first bytes were changed by somebody else"};
    }
  }
  if (writer_ == Writer::tracer) {
    applied_ = patched;
    return {};
  }
  low &= ~(kPage - 1);
  high = (high + kPage - 1) & ~(kPage - 1);
  const long result = raw(SYS_mprotect, low, high - low, PROT_READ | PROT_WRITE | PROT_EXEC);
  if (failed(result)) return {.what = "the C library's code may not be written", .error = static_cast<int>(-result)};
  for (const Site& site : sites()) store(site.at, patched ? site.after : site.before);
  raw(SYS_mprotect, low, high - low, PROT_READ | PROT_EXEC);
  applied_ = patched;
  return {};
}

Refusal Patcher::apply() {
  if (count_ == 0) return {.what = "nothing was prepared"};
  if (applied_) return {};
  return write(true);
}

Refusal Patcher::undo() { return applied_ ? write(false) : Refusal{}; }

}  // namespace sockdoc::preload
