#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sockdoc {

/** One record of /dev/kmsg. */
struct KernelRecord {
  double at_ms = 0;  // after boot
  std::string text;
};

/**
 * "6,1234,567890123,-;text\n KEY=value\n": priority, sequence, microseconds, flags; text; properties. Nothing for what
 * is malformed and for what programs wrote there (a facility other than the kernel's): anybody may write such lines.
 */
std::optional<KernelRecord> parse_kernel_record(std::string_view record);

/**
 * What the kernel's log buffer holds now, oldest first: {"entries":[{"atMs","text"},…],"gaps":[…]}. Needs CAP_SYSLOG
 * where kernel.dmesg_restrict is set (or read permission on /dev/kmsg where it is not).
 */
std::string read_kernel_log();

}  // namespace sockdoc
