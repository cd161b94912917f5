#pragma once

#include <cstdint>

namespace sockdoc::preload {

/** Of the CPU's counter: what today's machines count; half or double does no harm. */
inline constexpr std::uint64_t kTicksPerUs = 2500;

/** How long a call looks for bytes, or for room, before it sleeps: in ticks of the CPU's counter; 0: not at all. */
extern std::uint64_t spin_ticks;
/** The same where it is seen to spare sleeps: no longer than spin_ticks where somebody has chosen that. */
extern std::uint64_t longest_spin_ticks;

/**
 * About a wake-up by the kernel; below 20 sleeps begin (docs/decisions/0037). Of many peers that answer by turns more
 * may come within twice as long (0089).
 */
inline constexpr std::uint64_t kDefaultSpinUs = 50;

void set_spinning_us(std::uint64_t microseconds);
void set_spinning_by_default();
/** From SOCKDOC_SPIN_US as text, or the default when null. */
void set_spinning(const char* microseconds);

}  // namespace sockdoc::preload
