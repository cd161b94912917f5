#include "probes/connections/containers.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>

#include "base/procfs.h"

namespace sockdoc {
namespace {

constexpr std::size_t kIdLength = 64;
constexpr std::size_t kShownLength = 12;
constexpr std::size_t kMostKnown = 65'536;

bool is_id(std::string_view text) {
  return text.size() == kIdLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/** systemd writes characters that unit names cannot have as \xHH. */
std::string unescaped(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const auto code =
        text.starts_with("\\x") && text.size() >= 4 ? parse_number<unsigned>(text.substr(2, 2), 16) : std::nullopt;
    plain += code ? static_cast<char>(*code) : text.front();
    text.remove_prefix(code ? 4 : 1);
  }
  return plain;
}

/** What stands between the two, when they are there. */
std::string_view between(std::string_view part, std::string_view head, std::string_view tail) {
  if (part.size() <= head.size() + tail.size() || !part.starts_with(head) || !part.ends_with(tail)) return {};
  return part.substr(head.size(), part.size() - head.size() - tail.size());
}

std::string container_of(std::string_view part) {
  if (part.find("-conmon-") != std::string_view::npos) return {};  // the engine's monitor beside a container
  std::string_view rest = part;
  if (rest.ends_with(".scope")) rest.remove_suffix(6);
  if (rest.size() >= kIdLength) {
    const std::string_view id = rest.substr(rest.size() - kIdLength);
    const char before = rest.size() == kIdLength ? '-' : rest[rest.size() - kIdLength - 1];
    if (is_id(id) && (before == '-' || before == ':')) return std::string(id);
  }
  for (const auto& [head, tail] :
       {std::pair{"lxc.payload.", ""}, {"machine-", ".scope"}, {"systemd-nspawn@", ".service"}}) {
    if (const auto name = between(part, head, tail); !name.empty()) return unescaped(name);
  }
  return {};
}

}  // namespace

std::string container_in(std::string_view cgroups) {
  std::string found;
  while (!cgroups.empty()) {
    std::string_view line = take_until(cgroups, '\n');
    while (!line.empty()) {
      if (std::string container = container_of(take_until(line, '/')); !container.empty()) found = std::move(container);
    }
    if (!found.empty()) return found;  // the hierarchies agree
  }
  return found;
}

std::string ContainerCache::of(const ProcessEntry& process, const std::map<std::string, std::string>& names) {
  if (known_.size() > kMostKnown) known_.clear();
  auto [entry, added] = known_.try_emplace(process.pid);
  Known& known = entry->second;
  if (added || known.start_ticks != process.stat.start_ticks) {
    char path[40];
    char buffer[4096];
    std::snprintf(path, sizeof path, "/proc/%d/cgroup", process.pid);
    const auto text = read_small(AT_FDCWD, path, buffer);
    known = {process.stat.start_ticks, text ? container_in(*text) : std::string()};
  }
  if (const auto name = names.find(known.container); name != names.end()) return name->second;
  return is_id(known.container) ? known.container.substr(0, kShownLength) : known.container;
}

}  // namespace sockdoc
