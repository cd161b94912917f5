#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sockdoc {

/**
 * The function that each address lies in, from the text of /proc/kallsyms. An address that no function begins before
 * is left out; so are all when the addresses are hidden from us (all zero: kernel.kptr_restrict, no CAP_SYSLOG).
 */
std::map<std::uint64_t, std::string> resolve_symbols(std::string_view kallsyms,
                                                     const std::vector<std::uint64_t>& addresses);

}  // namespace sockdoc
