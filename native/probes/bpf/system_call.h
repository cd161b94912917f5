#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sockdoc::bpf {

/** bpf(2); -1 with errno set. */
inline long system_call(bpf_cmd command, bpf_attr& attr) { return ::syscall(__NR_bpf, command, &attr, sizeof attr); }

/** A zeroed bpf_attr: the kernel refuses bytes that it does not know unless they are zero. */
inline bpf_attr empty_attr() {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  return attr;
}

/** As bpf_attr wants pointers. */
inline std::uint64_t pointer(const void* address) { return reinterpret_cast<std::uint64_t>(address); }

/** Names of maps and programs, cut to what fits (15 bytes). */
template <std::size_t N>
void set_name(char (&to)[N], std::string_view name) {
  std::copy_n(name.begin(), std::min(name.size(), N - 1), to);
}

}  // namespace sockdoc::bpf
