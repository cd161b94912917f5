#pragma once

#include <optional>
#include <string>

namespace sockdoc {

/** A file of procfs or sysfs that is a setting, and what to write into it. */
struct SettingFileRequest {
  /** Network namespace to enter, empty for our own. */
  std::string netns;
  /** Through a /sys that shows that namespace's devices. */
  bool own_sysfs = false;
  std::string path;
  /** Nothing: only whether it could be written, by opening it. */
  std::optional<std::string> text;
};

/** Writes all of the text at once, as the kernel wants it of a setting; never makes a file. Answers as write_answer().
 */
std::string write_setting_file(const SettingFileRequest& request);

}  // namespace sockdoc
