#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sockdoc {

using MaybeNumber = std::optional<std::uint64_t>;

struct LinkModes {
  MaybeNumber speed_mbps;
  MaybeNumber supported_speed_mbps;
  const char* duplex = nullptr;
  std::optional<bool> auto_negotiation;
  /** What the link partner advertises; empty when it, or the driver, does not say. */
  std::vector<std::string> partner;
};

/** Why a link is down, and how good its signal is, where the driver knows. */
struct LinkState {
  const char* down_reason = nullptr;
  MaybeNumber signal_quality, signal_quality_max;
};

/** Forward error correction: the encoding in use ("RS", "BASER", "None"). */
struct ErrorCorrection {
  std::string active;
};

struct Rings {
  MaybeNumber rx, rx_max, tx, tx_max;
  std::optional<bool> data_split;
};

struct Channels {
  MaybeNumber rx, rx_max, tx, tx_max, combined, combined_max;
};

struct Coalescing {
  MaybeNumber rx_usecs, rx_frames, tx_usecs, tx_frames;
  std::optional<bool> adaptive_rx, adaptive_tx;
};

struct Feature {
  std::string name;
  bool on = false;
  bool changeable = false;
};

struct Pause {
  std::optional<bool> auto_negotiation, rx, tx;
};

struct PauseFrames {
  MaybeNumber rx, tx;
};

struct Timestamping {
  bool hardware_transmit = false;
  bool hardware_receive = false;
  MaybeNumber clock_index;
};

struct Rss {
  std::string hash_function;
  MaybeNumber table_size;
  MaybeNumber queues_used;
};

struct DriverInfo {
  std::string driver, firmware, bus;
};

/** What ethtool knows of one link; a topic that its driver does not have is absent. */
struct EthtoolFacts {
  std::optional<LinkModes> modes;
  std::optional<LinkState> state;
  std::optional<ErrorCorrection> error_correction;
  std::optional<Rings> rings;
  std::optional<Channels> channels;
  std::optional<Coalescing> coalescing;
  std::optional<std::vector<Feature>> features;
  std::optional<Pause> pause;
  std::optional<Timestamping> timestamping;
  std::optional<Rss> rss;
  std::optional<DriverInfo> driver;
};

/** What ethtool counts of one link. */
struct EthtoolCounters {
  std::optional<std::vector<std::pair<std::string, std::uint64_t>>> driver;
  std::optional<PauseFrames> pause;
};

}  // namespace sockdoc
