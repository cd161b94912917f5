#pragma once

#include <map>
#include <string>
#include <vector>

#include "probes/links/ethtool_facts.h"
#include "probes/netlink.h"

namespace sockdoc {

/** Names by bit number, as the kernel gives them (ETHTOOL_MSG_STRSET_GET). */
using BitNames = std::vector<std::string>;

/** A compact bit set: which bits it has, and which of them are on (ETHTOOL_A_BITSET_*). */
class BitSet {
 public:
  explicit BitSet(Bytes payload);
  [[nodiscard]] bool value(std::size_t bit) const { return get(value_, bit); }
  [[nodiscard]] bool mask(std::size_t bit) const { return get(mask_, bit); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static bool get(Bytes words, std::size_t bit);
  std::size_t size_ = 0;
  Bytes value_;
  Bytes mask_;
};

/** The interface that a message of the ethtool family is about; 0 when it does not say. All have the header first. */
int ethtool_link_index(const Attributes& message);

LinkModes parse_link_modes(const Attributes& message, const BitNames& mode_names);
LinkState parse_link_state(const Attributes& message);
/** The active encoding is a bit of the link modes. */
ErrorCorrection parse_error_correction(const Attributes& message, const BitNames& mode_names);
Rings parse_rings(const Attributes& message);
Channels parse_channels(const Attributes& message);
Coalescing parse_coalescing(const Attributes& message);
std::vector<Feature> parse_features(const Attributes& message, const BitNames& feature_names);
Pause parse_pause(const Attributes& message);
/** Nothing when the driver does not count them. */
std::optional<PauseFrames> parse_pause_frames(const Attributes& message);
/** The strings of one set in an answer to ETHTOOL_MSG_STRSET_GET. */
BitNames parse_string_set(const Attributes& message, std::uint32_t set);

/** Mbit/s of a mode's name, "100000baseCR4/Full"; 0 for what is not a speed ("Autoneg", "FIBRE"). */
std::uint64_t mode_speed(const std::string& name);

}  // namespace sockdoc
