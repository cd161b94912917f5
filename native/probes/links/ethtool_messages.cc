#include "probes/links/ethtool_messages.h"

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sockdoc {
namespace {

// More than any string set has; a longer one is damaged.
constexpr std::uint64_t kMaxStrings = 4096;

MaybeNumber number(const Attributes& message, std::uint16_t type) {
  const auto attribute = message.find(type);
  return attribute ? MaybeNumber(attribute->number()) : std::nullopt;
}

std::optional<bool> flag(const Attributes& message, std::uint16_t type) {
  const auto attribute = message.find(type);
  return attribute ? std::optional(attribute->number() != 0) : std::nullopt;
}

BitSet bits(const Attributes& message, std::uint16_t type) {
  const auto attribute = message.find(type);
  return BitSet(attribute ? attribute->payload : Bytes());
}

}  // namespace

BitSet::BitSet(Bytes payload) {
  const Attributes attributes(payload);
  if (const auto size = attributes.find(ETHTOOL_A_BITSET_SIZE)) size_ = size->number();
  if (const auto value = attributes.find(ETHTOOL_A_BITSET_VALUE)) value_ = value->payload;
  if (const auto mask = attributes.find(ETHTOOL_A_BITSET_MASK)) mask_ = mask->payload;
  size_ = std::min(size_, value_.size() * 8);
}

bool BitSet::get(Bytes words, std::size_t bit) {
  // Words of 32 bits in the host's order.
  const std::size_t at = bit / 32 * sizeof(std::uint32_t);
  if (at >= words.size()) return false;
  const auto word = read_as<std::uint32_t>(words.subspan(at));
  return word && (*word >> (bit % 32) & 1) != 0;
}

int ethtool_link_index(const Attributes& message) {
  const auto header = message.find(1);
  if (!header) return 0;
  const auto index = Attributes(header->payload).find(ETHTOOL_A_HEADER_DEV_INDEX);
  return index ? static_cast<int>(index->number()) : 0;
}

std::uint64_t mode_speed(const std::string& name) {
  std::uint64_t speed = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), speed);
  if (error != std::errc()) return 0;
  return std::string_view(name).substr(static_cast<std::size_t>(end - name.data())).starts_with("base") ? speed : 0;
}

LinkModes parse_link_modes(const Attributes& message, const BitNames& mode_names) {
  LinkModes modes;
  const auto speed = number(message, ETHTOOL_A_LINKMODES_SPEED);
  if (speed && *speed != static_cast<std::uint32_t>(SPEED_UNKNOWN) && *speed != 0) modes.speed_mbps = speed;
  const auto duplex = number(message, ETHTOOL_A_LINKMODES_DUPLEX);
  if (duplex == DUPLEX_FULL) modes.duplex = "full";
  if (duplex == DUPLEX_HALF) modes.duplex = "half";
  modes.auto_negotiation = flag(message, ETHTOOL_A_LINKMODES_AUTONEG);
  // The mask holds what is supported, the value what is advertised.
  const BitSet ours = bits(message, ETHTOOL_A_LINKMODES_OURS);
  std::uint64_t fastest = 0;
  for (std::size_t bit = 0; bit < std::min(ours.size(), mode_names.size()); ++bit) {
    if (ours.mask(bit)) fastest = std::max(fastest, mode_speed(mode_names[bit]));
  }
  if (fastest > 0) modes.supported_speed_mbps = fastest;
  const BitSet partner = bits(message, ETHTOOL_A_LINKMODES_PEER);
  for (std::size_t bit = 0; bit < std::min(partner.size(), mode_names.size()); ++bit) {
    if (partner.value(bit) && !mode_names[bit].empty()) modes.partner.push_back(mode_names[bit]);
  }
  return modes;
}

LinkState parse_link_state(const Attributes& message) {
  // enum ethtool_link_ext_state
  static constexpr std::array<const char*, 11> kReasons = {"autonegotiation failed",
                                                           "link training failure",
                                                           "logical mismatch",
                                                           "bad signal integrity",
                                                           "no cable",
                                                           "cable issue",
                                                           "EEPROM issue",
                                                           "calibration failure",
                                                           "power budget exceeded",
                                                           "overheat",
                                                           "module not ready"};
  LinkState state{nullptr, number(message, ETHTOOL_A_LINKSTATE_SQI), number(message, ETHTOOL_A_LINKSTATE_SQI_MAX)};
  const auto reason = number(message, ETHTOOL_A_LINKSTATE_EXT_STATE);
  if (reason && *reason < kReasons.size()) state.down_reason = kReasons[*reason];
  return state;
}

ErrorCorrection parse_error_correction(const Attributes& message, const BitNames& mode_names) {
  const auto active = number(message, ETHTOOL_A_FEC_ACTIVE);
  return {active && *active < mode_names.size() ? mode_names[*active] : std::string()};
}

Rings parse_rings(const Attributes& message) {
  Rings rings{number(message, ETHTOOL_A_RINGS_RX), number(message, ETHTOOL_A_RINGS_RX_MAX),
              number(message, ETHTOOL_A_RINGS_TX), number(message, ETHTOOL_A_RINGS_TX_MAX), std::nullopt};
  const auto split = number(message, ETHTOOL_A_RINGS_TCP_DATA_SPLIT);
  if (split == ETHTOOL_TCP_DATA_SPLIT_ENABLED) rings.data_split = true;
  if (split == ETHTOOL_TCP_DATA_SPLIT_DISABLED) rings.data_split = false;
  return rings;
}

Channels parse_channels(const Attributes& message) {
  return {number(message, ETHTOOL_A_CHANNELS_RX_COUNT),       number(message, ETHTOOL_A_CHANNELS_RX_MAX),
          number(message, ETHTOOL_A_CHANNELS_TX_COUNT),       number(message, ETHTOOL_A_CHANNELS_TX_MAX),
          number(message, ETHTOOL_A_CHANNELS_COMBINED_COUNT), number(message, ETHTOOL_A_CHANNELS_COMBINED_MAX)};
}

Coalescing parse_coalescing(const Attributes& message) {
  return {number(message, ETHTOOL_A_COALESCE_RX_USECS),      number(message, ETHTOOL_A_COALESCE_RX_MAX_FRAMES),
          number(message, ETHTOOL_A_COALESCE_TX_USECS),      number(message, ETHTOOL_A_COALESCE_TX_MAX_FRAMES),
          flag(message, ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX), flag(message, ETHTOOL_A_COALESCE_USE_ADAPTIVE_TX)};
}

std::vector<Feature> parse_features(const Attributes& message, const BitNames& feature_names) {
  const BitSet hardware = bits(message, ETHTOOL_A_FEATURES_HW);
  const BitSet active = bits(message, ETHTOOL_A_FEATURES_ACTIVE);
  const BitSet fixed = bits(message, ETHTOOL_A_FEATURES_NOCHANGE);
  std::vector<Feature> features;
  for (std::size_t bit = 0; bit < std::min(active.size(), feature_names.size()); ++bit) {
    if (feature_names[bit].empty()) continue;
    features.push_back({feature_names[bit], active.value(bit), hardware.value(bit) && !fixed.value(bit)});
  }
  return features;
}

Pause parse_pause(const Attributes& message) {
  return {flag(message, ETHTOOL_A_PAUSE_AUTONEG), flag(message, ETHTOOL_A_PAUSE_RX), flag(message, ETHTOOL_A_PAUSE_TX)};
}

std::optional<PauseFrames> parse_pause_frames(const Attributes& message) {
  const auto statistics = message.find(ETHTOOL_A_PAUSE_STATS);
  if (!statistics) return std::nullopt;
  const Attributes counters(statistics->payload);
  const PauseFrames frames{number(counters, ETHTOOL_A_PAUSE_STAT_RX_FRAMES),
                           number(counters, ETHTOOL_A_PAUSE_STAT_TX_FRAMES)};
  return frames.rx || frames.tx ? std::optional(frames) : std::nullopt;
}

BitNames parse_string_set(const Attributes& message, std::uint32_t set) {
  BitNames names;
  const auto sets = message.find(ETHTOOL_A_STRSET_STRINGSETS);
  if (!sets) return names;
  for (const Attribute& one : Attributes(sets->payload)) {
    const Attributes parts(one.payload);
    const auto strings = parts.find(ETHTOOL_A_STRINGSET_STRINGS);
    if (number(parts, ETHTOOL_A_STRINGSET_ID) != set || !strings) continue;
    for (const Attribute& string : Attributes(strings->payload)) {
      const Attributes content(string.payload);
      const auto index = number(content, ETHTOOL_A_STRING_INDEX);
      const auto text = content.find(ETHTOOL_A_STRING_VALUE);
      if (!index || !text || *index >= kMaxStrings) continue;
      if (names.size() <= *index) names.resize(*index + 1);
      names[*index] = text->text();
    }
  }
  return names;
}

}  // namespace sockdoc
