#include "inject/ptrace/code.h"

#include <sys/ptrace.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace sockdoc::inject {
namespace {

constexpr std::size_t kWord = sizeof(long);
constexpr std::size_t kJump = 5;  // of an entry

bool poke(pid_t tid, Address at, long word) {
  return ::ptrace(PTRACE_POKEDATA, tid, reinterpret_cast<void*>(number(at)), word) == 0;
}

}  // namespace

bool write_code(const Tracee& stopped, const Memory& memory, Address at, std::span<const std::uint8_t> code) {
  std::vector<std::uint8_t> bytes((code.size() + kWord - 1) / kWord * kWord);
  if (memory.read(at, bytes.data(), bytes.size()) != bytes.size()) return false;
  const std::vector<std::uint8_t> before = bytes;
  std::copy(code.begin(), code.end(), bytes.begin());
  for (std::size_t i = 0; i < bytes.size(); i += kWord) {
    if (std::memcmp(&bytes[i], &before[i], kWord) == 0) continue;
    long word = 0;
    std::memcpy(&word, &bytes[i], kWord);
    if (!poke(stopped.tid(), at + i, word)) return false;
  }
  return true;
}

Refused write_entries(const Tracee& stopped, const Memory& memory, std::span<const sockdoc_attach_site> sites,
                      bool to_hooks) {
  for (const auto& site : sites) {
    std::uint8_t now[kJump];
    if (memory.read(Address{site.at}, now, sizeof now) != sizeof now) return gone();
    if (std::memcmp(now, site.before, kJump) == 0 || std::memcmp(now, site.after, kJump) == 0) continue;
    return Refusal{"failed", "Somebody else has changed the first bytes of a function of libc.", ""};
  }
  for (const auto& site : sites) {
    if (!write_code(stopped, memory, Address{site.at}, {to_hooks ? site.after : site.before, kJump})) return gone();
  }
  return std::nullopt;
}

}  // namespace sockdoc::inject
