#pragma once

#include <cstdint>

#include "preload/table/table.h"

namespace sockdoc::preload {

/**
 * A socket's way from the kernel to shared memory, in one word: phase, calls of the program that are with the kernel
 * now, and calls ever. A read that the kernel was given before the peer may use a ring knows no limit; so the word
 * changes to `mapped` by one compare-and-swap from a value without a call under way, and each call enters by adding to
 * it. A call that never comes back (cancelled, left by longjmp) keeps its socket on the kernel.
 */
enum class Phase : std::uint64_t {
  native = 0,
  asked = 1,    // the monitor knows of it
  mapped = 2,   // its Connection has it
  refused = 3,  // the kernel has it for good: nothing is counted any more
};

namespace gate {

inline constexpr std::uint64_t kPhase = 3;
inline constexpr std::uint64_t kUnderWay = 4;
inline constexpr std::uint64_t kCall = std::uint64_t{1} << 20;

[[nodiscard]] inline Phase phase(std::uint64_t word) { return static_cast<Phase>(word & kPhase); }
[[nodiscard]] inline std::uint64_t under_way(std::uint64_t word) { return (word & (kCall - 1)) / kUnderWay; }
[[nodiscard]] inline std::uint64_t calls(std::uint64_t word) { return word / kCall; }

/** The word as it is with this call in it. */
inline std::uint64_t enter(SocketState& socket) { return socket.gate.fetch_add(kCall + kUnderWay) + kCall + kUnderWay; }
inline void leave(SocketState& socket) { socket.gate.fetch_sub(kUnderWay); }

/** False when calls came or went since `seen`. */
[[nodiscard]] inline bool change(SocketState& socket, std::uint64_t seen, Phase to) {
  return socket.gate.compare_exchange_strong(seen, (seen & ~kPhase) | static_cast<std::uint64_t>(to));
}

/** From `mapped` back to `asked`, with the connection's roles. */
inline void turn_back(SocketState& socket) {
  std::uint64_t word = socket.gate.load();
  while (phase(word) == Phase::mapped && !change(socket, word, Phase::asked)) word = socket.gate.load();
}

}  // namespace gate
}  // namespace sockdoc::preload
