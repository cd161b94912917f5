#pragma once

#include "program/fit.h"

namespace sockdoc::preload {

/** Whether libsd comes into the program that execveat(folder, path, …, flags) would execute. */
[[nodiscard]] program::Fit fit_of_target(int folder, const char* path, int flags);

}  // namespace sockdoc::preload
