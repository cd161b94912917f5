#include "probes/drops/symbols.h"

#include <algorithm>
#include <iterator>

#include "base/procfs.h"

namespace sockdoc {
namespace {

struct Symbol {
  std::uint64_t start = 0;
  std::string_view name;
};

bool is_text(char type) { return type == 't' || type == 'T' || type == 'w' || type == 'W'; }

/** Functions by address. Lines are "ffffffff81000000 T name", with "\t[module]" after those of modules. */
std::vector<Symbol> functions(std::string_view kallsyms) {
  std::vector<Symbol> symbols;
  while (!kallsyms.empty()) {
    std::string_view line = take_until(kallsyms, '\n');
    const auto start = parse_number<std::uint64_t>(take_until(line, ' '), 16);
    const std::string_view type = take_until(line, ' ');
    if (!start || *start == 0 || type.size() != 1 || !is_text(type[0])) continue;
    symbols.push_back({*start, take_until(line, '\t')});
  }
  std::stable_sort(symbols.begin(), symbols.end(), [](const Symbol& a, const Symbol& b) { return a.start < b.start; });
  return symbols;
}

}  // namespace

std::map<std::uint64_t, std::string> resolve_symbols(std::string_view kallsyms,
                                                     const std::vector<std::uint64_t>& addresses) {
  const std::vector<Symbol> symbols = functions(kallsyms);
  std::map<std::uint64_t, std::string> names;
  for (const std::uint64_t address : addresses) {
    // A return address lies behind the start, and at the next function's start when the call came last.
    const auto next = std::lower_bound(symbols.begin(), symbols.end(), address,
                                       [](const Symbol& symbol, std::uint64_t at) { return symbol.start < at; });
    if (next != symbols.begin()) names[address] = std::prev(next)->name;
  }
  return names;
}

}  // namespace sockdoc
