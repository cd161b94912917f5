#include "probes/drops/drop_probe.h"

#include <algorithm>

#include "base/gaps.h"
#include "probes/bpf/kernel.h"

namespace sockdoc {
namespace {

constexpr const char* kNeeds = "CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN";
constexpr const char* kBtf = "/sys/kernel/btf/vmlinux";

void add_gap(Gaps& gaps, const Error& error) {
  switch (error.code) {
    case ENOENT:
      return gaps.add({"drops", kBtf, "kernel without type information (BTF)", "", 1});
    case EOPNOTSUPP:
      return gaps.add({"drops", "skb:kfree_skb", "kernel gives no drop reason (before 5.17)", "", 1});
    case ENOSYS:
      return gaps.add({"drops", "bpf(2)", "kernel without BPF", "", 1});
    default:
      return gaps.add_errno("drops", error.what, error.code, kNeeds);
  }
}

struct Row {
  std::string reason;
  std::string place;
  std::uint64_t count = 0;
};

std::vector<Row> name_rows(const std::vector<DropProgram::Count>& counts,
                           const std::map<std::int64_t, std::string>& reasons,
                           const std::map<std::uint64_t, std::string>& places) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> sums;
  for (const auto& [key, count] : counts) {
    const auto reason = reasons.find(key.reason);
    const auto place = places.find(key.location);
    sums[{reason != reasons.end() ? reason->second : "#" + std::to_string(key.reason),
          place != places.end() ? place->second : std::string()}] += count;
  }
  std::vector<Row> rows;
  for (const auto& [names, count] : sums) rows.push_back({names.first, names.second, count});
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.count > b.count; });
  return rows;
}

/** Functions by return address. */
std::map<std::uint64_t, std::string> places_of(const std::vector<DropProgram::Count>& counts, Gaps& gaps) {
  if (counts.empty()) return {};
  std::map<std::uint64_t, std::string> places;
  if (const auto symbols = kernel_symbols()) {
    for (const auto& [key, count] : counts) {
      if (const auto name = (*symbols)->name_of(key.location)) places.emplace(key.location, *name);
    }
  }
  if (places.empty()) gaps.add({"drops", "places", "addresses of /proc/kallsyms are hidden", "CAP_SYSLOG", 1});
  return places;
}

std::string only_gaps(const Gaps& gaps) {
  Json json;
  json.begin_object().key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace

std::string DropProbe::start() {
  const std::scoped_lock lock(mutex_);
  Gaps gaps;
  program_.reset();
  if (const Status attached = attach(); !attached) add_gap(gaps, attached.error());
  return only_gaps(gaps);
}

Status DropProbe::attach() {
  if (!arguments_) {
    const auto btf = kernel_btf();
    if (!btf) return btf.error();
    const auto arguments = drop_arguments(**btf);
    if (!arguments) return arguments.error();
    arguments_ = *arguments;
    reasons_ = (*btf)->enum_names("skb_drop_reason", "SKB_DROP_REASON_");
  }
  auto program = DropProgram::attach(*arguments_);
  if (!program) return program.error();
  program_ = std::move(*program);
  return Done{};
}

std::string DropProbe::stop() {
  const std::scoped_lock lock(mutex_);
  Gaps gaps;
  if (!program_) return only_gaps(gaps);
  const auto counts = program_->counts();
  program_.reset();
  if (counts.size() >= DropProgram::kMaxEntries) {
    gaps.add({"drops", "places", "more than " + std::to_string(DropProgram::kMaxEntries) + " were met", "", 1});
  }
  const auto places = places_of(counts, gaps);
  Json json;
  json.begin_object().key("drops").begin_array();
  for (const Row& row : name_rows(counts, reasons_, places)) {
    json.begin_object().field("reason", row.reason);
    if (!row.place.empty()) json.field("place", row.place);
    json.field("count", row.count).end_object();
  }
  json.end_array().key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace sockdoc
