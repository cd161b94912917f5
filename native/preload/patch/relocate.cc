#include <cstring>

#include "preload/patch/decode.h"
#include "preload/patch/patcher.h"

namespace sockdoc::preload {
namespace {

constexpr std::int64_t kReach = 0x7fff0000;

/** Writes the distance from the end of an instruction at `end` to `target`; false when it is too far. */
bool put_distance(std::uint8_t* into, std::uintptr_t end, std::uintptr_t target) {
  const auto distance = static_cast<std::int64_t>(target - end);
  if (distance > kReach || distance < -kReach) return false;
  const auto narrow = static_cast<std::int32_t>(distance);
  std::memcpy(into, &narrow, sizeof narrow);
  return true;
}

/**
 * A short jump becomes a near one; everything else keeps its form. It will stand `at` an address. Bytes written, or 0
 * when it cannot be moved.
 */
std::size_t move_one(const Instruction& instruction, const std::uint8_t* from, std::uint8_t* to, std::uintptr_t at,
                     const char*& why) {
  std::size_t length = instruction.length;
  std::size_t distance_at = instruction.relative_at;
  if (instruction.relative_size == 1) {
    if (instruction.flow == Flow::loop) {
      why = "its first bytes hold a loop instruction";
      return 0;
    }
    distance_at = 0;
    if (instruction.flow == Flow::conditional) to[distance_at++] = 0x0f;
    to[distance_at++] =
        instruction.flow == Flow::jump ? std::uint8_t{0xe9} : static_cast<std::uint8_t>(0x80 | instruction.condition);
    length = distance_at + sizeof(std::int32_t);
  } else {
    std::memcpy(to, from, length);
  }
  if (instruction.relative() && !put_distance(to + distance_at, at + length, target_of(instruction, from))) {
    why = "the memory next to it is taken";
    return 0;
  }
  return length;
}

}  // namespace

Relocated relocate(std::span<const std::uint8_t> from, std::span<std::uint8_t, kMoved> to, std::uintptr_t at) {
  Relocated result;
  std::size_t taken = 0;
  std::size_t written = 0;
  while (taken < kJump) {
    const Instruction instruction = decode(from.subspan(taken));
    if (!instruction.valid()) return {.why = "its first bytes are not understood"};
    if (instruction.flow == Flow::call) return {.why = "its first bytes hold a call"};
    const std::size_t room = to.size() - written;
    if (instruction.length + kJump > room) return {.why = "its first instructions are too long"};
    const char* why = nullptr;
    const std::size_t length = move_one(instruction, from.data() + taken, to.data() + written, at + written, why);
    if (length == 0) return {.why = why};
    taken += instruction.length;
    written += length;
    result.syscall_inside |= instruction.syscall && taken < kJump;
    result.goes_on = instruction.flow != Flow::jump && instruction.flow != Flow::end;
    if (!result.goes_on && taken < kJump) return {.why = "it ends within its first bytes"};
  }
  if (result.goes_on) {
    to[written] = 0xe9;
    const auto back = reinterpret_cast<std::uintptr_t>(from.data()) + taken;
    if (!put_distance(&to[written + 1], at + written + kJump, back)) {
      return {.why = "the memory next to it is taken"};
    }
    written += kJump;
  }
  result.displaced = static_cast<std::uint8_t>(taken);
  result.written = static_cast<std::uint8_t>(written);
  return result;
}

bool jumps_into(const Function& function, std::size_t from, std::size_t length) {
  const auto begin = reinterpret_cast<std::uintptr_t>(function.at) + from;
  for (std::size_t at = 0; at < function.size;) {
    const Instruction instruction = decode(function.code().subspan(at));
    if (!instruction.valid()) return false;
    const bool branch = instruction.flow != Flow::on && instruction.flow != Flow::end;
    if (branch) {
      const std::uintptr_t target = target_of(instruction, function.at + at);
      if (target > begin && target < begin + length) return true;
    }
    at += instruction.length;
  }
  return false;
}

bool makes_system_call(const Function& function) {
  for (std::size_t at = 0; at < function.size;) {
    const Instruction instruction = decode(function.code().subspan(at));
    if (!instruction.valid()) return false;
    if (instruction.syscall) return true;
    at += instruction.length;
  }
  return false;
}

namespace {

constexpr std::size_t kWindow = 4096;  // the longest function that is followed
constexpr int kDepth = 3;

std::span<const std::uint8_t> window(const Image& image, const std::uint8_t* at, std::size_t size) {
  const std::span<const std::uint8_t> text = image.text();
  if (at < text.data() || at >= text.data() + text.size()) return {};
  const auto left = static_cast<std::size_t>(text.data() + text.size() - at);
  return {at, size < left ? size : left};
}

bool begins_with_call(std::span<const std::uint8_t> code, std::uint32_t number) {
  const std::uint8_t endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
  if (code.size() > sizeof endbr && std::memcmp(code.data(), endbr, sizeof endbr) == 0) {
    code = code.subspan(sizeof endbr);
  }
  std::uint8_t wanted[7] = {0xb8, 0, 0, 0, 0, 0x0f, 0x05};  // mov $number, %eax; syscall
  std::memcpy(wanted + 1, &number, sizeof number);
  return code.size() >= sizeof wanted && std::memcmp(code.data(), wanted, sizeof wanted) == 0;
}

const std::uint8_t* search(const Image& image, std::span<const std::uint8_t> code, std::uint32_t number, int depth) {
  if (begins_with_call(code, number)) return code.data();
  if (depth == 0) return nullptr;
  for (std::size_t at = 0; at < code.size();) {
    const Instruction instruction = decode(code.subspan(at));
    if (!instruction.valid()) return nullptr;
    const std::uint8_t* here = code.data() + at;
    at += instruction.length;
    const bool leaves = instruction.flow == Flow::call || instruction.flow == Flow::jump;
    if (!leaves || instruction.relative_size != 4) continue;
    const auto* target = reinterpret_cast<const std::uint8_t*>(target_of(instruction, here));
    if (target >= code.data() && target < code.data() + code.size()) continue;
    // Where it leads has no known size: a function that short is looked at as far as its first end.
    std::span<const std::uint8_t> next = window(image, target, kWindow);
    std::size_t size = 0;
    while (size < next.size()) {
      const Instruction one = decode(next.subspan(size));
      if (!one.valid()) break;
      size += one.length;
      if (one.flow == Flow::end || one.flow == Flow::jump) break;
    }
    const std::uint8_t* found = search(image, next.first(size), number, depth - 1);
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace

Function find_system_call(const Image& image, const Function& from, std::uint32_t number) {
  if (!from.found()) return {};
  const std::uint8_t* at = search(image, from.code(), number, kDepth);
  return {at, at == nullptr ? 0 : window(image, at, 7 + 6).size()};
}

}  // namespace sockdoc::preload
