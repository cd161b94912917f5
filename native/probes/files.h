#pragma once

#include <string>
#include <vector>

#include "base/gaps.h"

namespace sockdoc {

/** In place of the path of a namespace. No path is like it: paths of namespaces begin with a slash. */
constexpr const char* kNewNetns = "new";

/** What to read inside a namespace. */
struct FileRequest {
  /** Network namespace to enter, empty for our own, kNewNetns for one that is made for this and gone afterwards. */
  std::string netns;
  /** Mount a /sys that shows that namespace's devices. */
  bool own_sysfs = false;
  std::vector<std::string> files;
  /** Patterns as in glob(7): every file that matches is read. */
  std::vector<std::string> file_globs;
  /** Folders whose files are all read, recursively; symbolic links to folders are not followed. */
  std::vector<std::string> trees;
  /** Names (not paths) of folders inside trees to leave out. */
  std::vector<std::string> skip;
  /** Symbolic links whose target is wanted. */
  std::vector<std::string> links;
  /** Patterns whose matches are wanted as links, or only by name. */
  std::vector<std::string> link_globs;
  std::vector<std::string> path_globs;
  std::size_t max_file_bytes = 16u << 20;  // /proc/interrupts of a host with hundreds of CPUs has several MiB
};

/**
 * Reads files as they are, in one visit of the namespace: parsing is done in TypeScript, where it is pure. Writes
 * {"files":{path:text,…},"links":{path:target,…},"paths":[path,…],"errors":{path:errno name,…},"gaps":[…]}. A file that
 * does not exist is only an error entry, not a gap: the caller knows whether that matters.
 */
std::string read_files(const FileRequest& request);

}  // namespace sockdoc
