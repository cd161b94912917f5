#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "probes/links/ethtool_facts.h"

namespace sockdoc {

/**
 * SIOCETHTOOL (linux/ethtool.h) on the links of the namespace in which it was opened: what netlink does not give in
 * one dump (driver, its statistics, RSS, time stamping), and everything else for kernels whose netlink has no ethtool
 * family yet (before 5.6; rings, channels, coalescing, features and pause before 5.7).
 *
 * Each answer is EOPNOTSUPP for a driver that does not have the topic.
 */
class EthtoolIoctl {
 public:
  static Result<EthtoolIoctl> open();

  Result<DriverInfo> driver(const std::string& link);
  Result<std::vector<std::pair<std::string, std::uint64_t>>> statistics(const std::string& link);
  Result<Rss> rss(const std::string& link);

  Result<LinkModes> modes(const std::string& link);
  Result<Rings> rings(const std::string& link);
  Result<Channels> channels(const std::string& link);
  Result<Coalescing> coalescing(const std::string& link);
  Result<std::vector<Feature>> features(const std::string& link);
  Result<Pause> pause(const std::string& link);
  Result<Timestamping> timestamping(const std::string& link);

 private:
  explicit EthtoolIoctl(Fd fd) : fd_(std::move(fd)) {}

  /** `command` begins with its number and is answered in place. */
  Status call(const std::string& link, void* command);
  template <typename T>
  Status get(const std::string& link, std::uint32_t number, T& answer);
  Result<std::uint32_t> string_count(const std::string& link, std::uint32_t set);
  Result<std::vector<std::string>> strings(const std::string& link, std::uint32_t set, std::uint32_t count);

  Fd fd_;
};

}  // namespace sockdoc
