#include "base/gaps.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sockdoc {

void Gaps::add(Gap gap) {
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
