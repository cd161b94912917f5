#pragma once

#include <string>

#include "base/fd.h"

namespace sockdoc::inject {

/**
 * Opens the memory file that `link`, /proc/PID/fd/N, leads to, for writing. Invalid, with errno, when it leads to
 * anything but an empty memory file: the number is the target's word, and opening the link asks for our rights, not for
 * those that the target has. Nothing else is opened, so that nothing else notices.
 */
[[nodiscard]] Fd open_memory_file(const std::string& link);

}  // namespace sockdoc::inject
