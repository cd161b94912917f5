#include "probes/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/fd.h"
#include "base/netns.h"

namespace sockdoc {
namespace {

struct Found {
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> links;
  std::vector<std::string> paths;
  std::map<std::string, std::string> errors;
};

void note(Found& found, const std::string& path) { found.errors[path] = strerrorname_np(errno); }

void read_file(const std::string& path, std::size_t limit, Found& found) {
  // O_NONBLOCK: a few files of procfs and sysfs would wait (kmsg, trace_pipe); none that does is wanted.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return note(found, path);
  std::string text;
  char buffer[16384];
  while (text.size() < limit) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return note(found, path);
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  found.files[path] = std::move(text);
}

void read_tree(const std::string& folder, const FileRequest& request, Found& found) {
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return note(found, folder);
  std::vector<std::string> folders;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = folder + "/" + name;
    if (entry->d_type == DT_DIR) {
      if (std::find(request.skip.begin(), request.skip.end(), name) == request.skip.end()) folders.push_back(path);
    } else if (entry->d_type == DT_REG) {
      read_file(path, request.max_file_bytes, found);
    }
  }
  ::closedir(dir);
  for (const std::string& path : folders) read_tree(path, request, found);
}

void read_link(const std::string& path, Found& found) {
  char target[4096];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  if (length < 0) return note(found, path);
  found.links[path] = std::string(target, static_cast<std::size_t>(length));
}

/** Nothing that matches is no error; a folder that may not be listed matches nothing. */
std::vector<std::string> expand(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t matches{};
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches) == 0) {
    paths.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  ::globfree(&matches);
  return paths;
}

void read_wanted(const FileRequest& request, Found& found) {
  for (const std::string& path : request.files) read_file(path, request.max_file_bytes, found);
  for (const std::string& pattern : request.file_globs) {
    for (const std::string& path : expand(pattern)) read_file(path, request.max_file_bytes, found);
  }
  for (const std::string& path : request.trees) read_tree(path, request, found);
  for (const std::string& path : request.links) read_link(path, found);
  for (const std::string& pattern : request.link_globs) {
    for (const std::string& path : expand(pattern)) read_link(path, found);
  }
  for (const std::string& pattern : request.path_globs) {
    for (std::string& path : expand(pattern)) found.paths.push_back(std::move(path));
  }
}

void write_map(Json& json, const char* name, const std::map<std::string, std::string>& map) {
  json.key(name).begin_object();
  for (const auto& [key, text] : map) json.field(key, text);
  json.end_object();
}

}  // namespace

std::string read_files(const FileRequest& request) {
  Found found;
  Gaps gaps;
  const auto work = [&] { read_wanted(request, found); };
  const Status entered =
      request.netns == kNewNetns ? in_new_netns(work) : in_netns(request.netns, request.own_sysfs, work);
  if (!entered) gaps.add_errno("files", entered.error().what, entered.error().code, "CAP_SYS_ADMIN");
  Json json;
  json.begin_object();
  write_map(json, "files", found.files);
  write_map(json, "links", found.links);
  json.key("paths").begin_array();
  for (const std::string& path : found.paths) json.value(path);
  json.end_array();
  write_map(json, "errors", found.errors);
  json.key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace sockdoc
