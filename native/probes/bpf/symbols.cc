#include "probes/bpf/symbols.h"

#include <algorithm>
#include <iterator>

#include "base/procfs.h"

namespace sockdoc {
namespace {

bool is_text(char type) { return type == 't' || type == 'T' || type == 'w' || type == 'W'; }

}  // namespace

void Symbols::add(std::string_view text) {
  if (!rest_.empty()) {
    const std::size_t end = text.find('\n');
    rest_ += text.substr(0, end);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
    add_line(rest_);
    rest_.clear();
  }
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    add_line(text.substr(0, end));
  }
  rest_ = text;
}

/** "ffffffff81000000 T name", with "\t[module]" after the name of a module's. */
void Symbols::add_line(std::string_view line) {
  const auto start = parse_number<std::uint64_t>(take_until(line, ' '), 16);
  const std::string_view type = take_until(line, ' ');
  if (!start || *start == 0 || type.size() != 1 || !is_text(type[0])) return;
  const std::string_view name = take_until(line, '\t');
  functions_.push_back({*start, static_cast<std::uint32_t>(names_.size()), static_cast<std::uint32_t>(name.size())});
  names_ += name;
}

void Symbols::finish() {
  if (!rest_.empty()) add_line(rest_);
  rest_.clear();
  rest_.shrink_to_fit();
  functions_.shrink_to_fit();
  std::stable_sort(functions_.begin(), functions_.end(),
                   [](const Function& a, const Function& b) { return a.start < b.start; });
}

std::optional<std::string_view> Symbols::name_of(std::uint64_t return_address) const {
  // A return address lies behind the start, and at the next function's start when the call came last.
  const auto next = std::lower_bound(functions_.begin(), functions_.end(), return_address,
                                     [](const Function& function, std::uint64_t at) { return function.start < at; });
  if (next == functions_.begin()) return std::nullopt;
  return name(*std::prev(next));
}

std::vector<Symbols::Range> Symbols::ranges(const std::function<bool(std::string_view)>& wanted) const {
  std::vector<Range> found;
  for (auto at = functions_.begin(); at != functions_.end(); ++at) {
    const std::string_view whole = name(*at);
    if (!wanted(whole.substr(0, whole.find('.')))) continue;
    // Aliases stand at one address.
    const auto next =
        std::find_if(at, functions_.end(), [&](const Function& other) { return other.start > at->start; });
    if (next != functions_.end()) found.push_back({at->start, next->start});
  }
  return found;
}

}  // namespace sockdoc
