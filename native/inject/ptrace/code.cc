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
  static_assert(kJump <= kWord);
  std::vector<long> words(sites.size());
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < sites.size(); i++) pieces.push_back({Address{sites[i].at}, &words[i], kWord});
  if (!memory.read_all(pieces)) return gone();
  for (std::size_t i = 0; i < sites.size(); i++) {
    if (std::memcmp(&words[i], sites[i].before, kJump) == 0) continue;
    if (std::memcmp(&words[i], sites[i].after, kJump) == 0) continue;
    return Refusal{"failed", "Somebody else has changed the first bytes of a function of libc.", ""};
  }
  for (std::size_t i = 0; i < sites.size(); i++) {
    const std::uint8_t* wanted = to_hooks ? sites[i].after : sites[i].before;
    if (std::memcmp(&words[i], wanted, kJump) == 0) continue;
    std::memcpy(&words[i], wanted, kJump);
    if (!poke(stopped.tid(), Address{sites[i].at}, words[i])) return gone();
  }
  return std::nullopt;
}

}  // namespace sockdoc::inject
