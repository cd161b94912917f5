#include "probes/kernel_log/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/gaps.h"
#include "base/procfs.h"

namespace sockdoc {
namespace {

constexpr const char* kPath = "/dev/kmsg";
// The largest record that the kernel hands out (PRINTK_MESSAGE_MAX, 8192 before 6.x).
constexpr std::size_t kRecordBytes = 16384;
// A log buffer of the largest size that can be configured has fewer; also an end when it is written as fast as read.
constexpr std::size_t kMaxRecords = 500000;

/** "\x0a" and the like: the kernel escapes what is not printable. */
std::string unescaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto code = text.starts_with("\\x") ? parse_number<unsigned>(text.substr(2, 2), 16) : std::nullopt;
    out += code && text.size() >= 4 ? static_cast<char>(*code) : text.front();
    text.remove_prefix(code && text.size() >= 4 ? 4 : 1);
  }
  return out;
}

void read_records(int fd, Json& json, Gaps& gaps) {
  char buffer[kRecordBytes];
  for (std::size_t i = 0; i < kMaxRecords; ++i) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    // EPIPE: records were overwritten before we came to them; the next read goes on with the oldest that is left.
    if (got < 0 && (errno == EINTR || errno == EPIPE)) continue;
    if (got < 0 && errno != EAGAIN) gaps.add_errno("kernel log", kPath, errno, "CAP_SYSLOG");
    if (got <= 0) return;
    if (const auto record = parse_kernel_record({buffer, static_cast<std::size_t>(got)})) {
      json.begin_object().field("atMs", record->at_ms).field("text", record->text).end_object();
    }
  }
}

}  // namespace

std::optional<KernelRecord> parse_kernel_record(std::string_view record) {
  std::string_view prefix = take_until(record, ';');
  const auto priority = parse_number<unsigned>(take_until(prefix, ','));
  take_until(prefix, ',');
  const auto microseconds = parse_number<std::uint64_t>(take_until(prefix, ','));
  constexpr unsigned kSeverities = 8;
  if (!priority || *priority >= kSeverities || !microseconds) return std::nullopt;
  const std::string text = unescaped(take_until(record, '\n'));
  return KernelRecord{static_cast<double>(*microseconds) / 1000, text};
}

std::string read_kernel_log() {
  Gaps gaps;
  Json json;
  json.begin_object().key("entries").begin_array();
  const Fd fd(::open(kPath, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (fd.valid()) {
    read_records(fd.get(), json, gaps);
  } else {
    gaps.add_errno("kernel log", kPath, errno, "CAP_SYSLOG");
  }
  json.end_array().key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace sockdoc
