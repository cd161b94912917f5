#pragma once

#include <string>
#include <vector>

#include "program/fit.h"

namespace sockdoc::launch {

/** What would run, and whether libsd can come into it. */
struct Command {
  std::string path;  // as execve(2) takes it
  int error = 0;     // ENOENT: there is none of this name; another errno value: it is there and cannot be executed
  program::Fit fit = program::Fit::fits;
  std::string judged;  // the file that `fit` is about: a script's interpreter, or the path itself
};

/**
 * Finds a program as execvp(3) does: by PATH where the name has no slash. `path` is the value of PATH, or null for the
 * system's own.
 */
[[nodiscard]] Command find_command(const std::string& name, const char* path);

/** The last `count` arguments of this process, byte for byte: JavaScript strings hold UTF-8 alone. */
[[nodiscard]] std::vector<std::string> last_arguments(std::size_t count);

/** The environment that this process was started with: JavaScript and its libraries change their own. */
[[nodiscard]] std::vector<std::string> first_environment();

/** The value of a variable in an environment, or null. */
[[nodiscard]] const char* value_in(const std::vector<std::string>& environment, const std::string& name);

}  // namespace sockdoc::launch
