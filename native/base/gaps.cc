#include "base/gaps.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/raw.h"

namespace sockdoc {
namespace {

/** Those that gaps name. */
constexpr std::array<std::pair<std::string_view, unsigned>, 7> kCapabilities{
    {{"CAP_BPF", CAP_BPF},
     {"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
     {"CAP_NET_ADMIN", CAP_NET_ADMIN},
     {"CAP_SYS_PTRACE", CAP_SYS_PTRACE},
     {"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
     {"CAP_SYSLOG", CAP_SYSLOG},
     {"CAP_PERFMON", CAP_PERFMON}}};

/** Of this thread, in its user namespace: a bit each. */
std::uint64_t effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> halves{};
  if (failed(raw(SYS_capget, &header, halves.data()))) return 0;
  return std::uint64_t{halves[1].effective} << 32 | halves[0].effective;
}

/** All that are named in "A and B", and at least one. */
bool has_all(std::uint64_t held, std::string_view text) {
  bool any = false;
  for (const auto& [name, bit] : kCapabilities) {
    if (text.find(name) == std::string_view::npos) continue;
    if ((held >> bit & 1) == 0) return false;
    any = true;
  }
  return any;
}

/** "A and B, or C". */
bool has_what_it_takes(std::string_view needs) {
  constexpr std::string_view kOr = ", or ";
  const std::uint64_t held = effective_capabilities();
  for (;;) {
    const std::size_t end = needs.find(kOr);
    if (has_all(held, needs.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    needs.remove_prefix(end + kOr.size());
  }
}

bool in_initial_user_namespace() {
  constexpr ino_t kInitial = 0xEFFFFFFD;  // PROC_USER_INIT_INO of linux/proc_ns.h
  struct stat status = {};
  return ::stat("/proc/thread-self/ns/user", &status) != 0 || status.st_ino == kInitial;
}

}  // namespace

void Gaps::add(Gap gap) {
  if (!gap.needs.empty() && has_what_it_takes(gap.needs)) {
    const bool initial = in_initial_user_namespace();
    gap.reason += ", with " + gap.needs + " too";
    gap.needs = initial ? "" : "the same in the initial user namespace, outside of this container,";
  }
  const auto same = [&](const Gap& other) {
    return other.probe == gap.probe && other.what == gap.what && other.reason == gap.reason;
  };
  if (const auto found = std::find_if(gaps_.begin(), gaps_.end(), same); found != gaps_.end()) {
    found->count += gap.count;
    return;
  }
  gaps_.push_back(std::move(gap));
}

void Gaps::add_errno(std::string probe, std::string what, int code, std::string needs) {
  const bool denied = code == EPERM || code == EACCES;
  add({std::move(probe), std::move(what), std::strerror(code), denied ? std::move(needs) : std::string(), 1});
}

void Gaps::write(Json& json) const {
  json.begin_array();
  for (const Gap& gap : gaps_) {
    json.begin_object().field("probe", gap.probe).field("what", gap.what).field("reason", gap.reason);
    if (!gap.needs.empty()) json.field("needs", gap.needs);
    if (gap.count > 1) json.field("count", gap.count);
    json.end_object();
  }
  json.end_array();
}

}  // namespace sockdoc
