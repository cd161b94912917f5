#include "inject/process/maps.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/fd.h"
#include "base/procfs.h"
#include "inject/process/facts.h"

namespace sockdoc::inject {
namespace {

Mapping parse(std::string_view line) {
  Mapping mapping;
  const auto number = [](std::string_view word) { return parse_number<std::uint64_t>(word, 16).value_or(0); };
  mapping.begin = number(take_until(line, '-'));
  mapping.end = number(take_until(line, ' '));
  const std::string_view rights = take_until(line, ' ');
  if (rights.size() == 4) {
    mapping.readable = rights[0] == 'r';
    mapping.writable = rights[1] == 'w';
    mapping.executable = rights[2] == 'x';
  }
  mapping.offset = number(take_until(line, ' '));
  take_until(line, ' ');
  take_until(line, ' ');
  const std::size_t path = line.find_first_not_of(' ');
  if (path != std::string_view::npos) mapping.path = line.substr(path);
  return mapping;
}

}  // namespace

std::optional<std::vector<Mapping>> read_maps(pid_t pid) {
  const Fd fd(::open((process_folder(pid) + "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return std::nullopt;
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  std::vector<Mapping> mappings;
  for (std::string_view rest = text; !rest.empty();) mappings.push_back(parse(take_until(rest, '\n')));
  return mappings;
}

}  // namespace sockdoc::inject
