#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/attach.h"
#include "preload/exec/target.h"
#include "preload/table/table.h"

namespace sockdoc::preload {

/**
 * libsd goes on into the programs that a program executes, also where that cleans its environment (env -i, sudo, a
 * daemon's own list). SOCKDOC_DISABLE in what it gives them keeps libsd out; a loader that would complain of libsd
 * does not get to see it.
 *
 * At load: keeps a copy, since a program may write over the memory of its first environment. Without our library in
 * LD_PRELOAD (somebody loaded it in another way) nothing is ever put back.
 */
void remember_environment();

/** At load: what was_there_at_start() knows. */
void remember_variables(char* const* environment);
/**
 * Whether the program was started with this very variable, whose name is none that by custom tells of a descriptor: a
 * socket that came later cannot be meant by it. False of all where libsd came later.
 */
[[nodiscard]] bool was_there_at_start(const char* variable);

/** As remember_environment() for a process that libsd came into later: programs that it executes get what it got, or
 * nothing of it. */
void keep_environment(const sockdoc_attach_config& attachment);
void forget_environment();

/** How an environment has to change. Made without a look at anything but memory. */
struct EnvironmentPlan {
  static constexpr std::size_t kNone = ~std::size_t{0};

  std::size_t count = 0;         // variables in it
  std::size_t preload = kNone;   // where LD_PRELOAD is
  std::size_t preload_room = 0;  // bytes of its new value; 0: stays as it is
  std::uint32_t missing = 0;     // which of ours are put back, as bits
  bool leave_out = false;

  [[nodiscard]] bool changes() const { return preload_room != 0 || missing != 0; }
  [[nodiscard]] std::size_t bytes() const;
};

/** Whether a program of this kind, executed with this environment, gets libsd with a monitor. */
[[nodiscard]] bool brings_libsd(program::Fit fit, char* const* environment);

[[nodiscard]] EnvironmentPlan plan_environment(program::Fit fit, char* const* environment);

/** The changed environment, in `room` of plan.bytes(). Points into the former one. */
[[nodiscard]] char* const* changed_environment(const EnvironmentPlan& plan, char* const* environment, void* room);

/** Memory for a large environment that goes with the exec; null without. */
[[nodiscard]] void* map_room(std::size_t bytes);
void unmap_room(void* room, std::size_t bytes);

inline constexpr std::size_t kRoomOnStack = 4096;
/** The child of vfork has its parent's memory, where a mapping would stay for ever: only its stack is its own. */
inline constexpr std::size_t kRoomOnLoan = 16384;

[[nodiscard]] bool too_big();

/** `call(environment)` executes. It comes back only when that fails; nothing is left behind then. */
template <typename Call>
inline auto with_libsd(program::Fit fit, char* const* environment, Call call) {
  const EnvironmentPlan plan = plan_environment(fit, environment);
  const std::size_t bytes = plan.bytes();
  const bool on_loan = bytes > kRoomOnStack && table.on_loan();
  if (!plan.changes() || (on_loan && bytes > kRoomOnLoan)) return call(environment);
  const bool on_stack = on_loan || bytes <= kRoomOnStack;
  void* room = on_stack ? __builtin_alloca(bytes) : map_room(bytes);
  if (room == nullptr) return call(environment);
  const auto result = call(changed_environment(plan, environment, room));
  if (!on_stack) unmap_room(room, bytes);
  // The little that was added can be too much.
  return too_big() ? call(environment) : result;
}

}  // namespace sockdoc::preload
