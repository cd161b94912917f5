#include "probes/links/ethtool_messages.h"

#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>

#include "../random_bytes.h"
#include "probes/links/xdp_features.h"

namespace sockdoc {
namespace {

void bit_set(NetlinkRequest& request, unsigned type, std::uint32_t size, std::vector<std::uint32_t> value,
             std::vector<std::uint32_t> mask = {}) {
  const auto nest = request.begin_nested(static_cast<std::uint16_t>(type));
  request.attribute<std::uint32_t>(ETHTOOL_A_BITSET_SIZE, size);
  request.attribute_bytes(ETHTOOL_A_BITSET_VALUE, std::as_bytes(std::span(value)));
  if (!mask.empty()) request.attribute_bytes(ETHTOOL_A_BITSET_MASK, std::as_bytes(std::span(mask)));
  request.end_nested(nest);
}

std::vector<std::byte> link_modes() {
  NetlinkRequest request(0, 0);
  const auto header = request.begin_nested(ETHTOOL_A_LINKMODES_HEADER);
  request.attribute<std::uint32_t>(ETHTOOL_A_HEADER_DEV_INDEX, 12).end_nested(header);
  request.attribute<std::uint32_t>(ETHTOOL_A_LINKMODES_SPEED, 25000);
  request.attribute<std::uint8_t>(ETHTOOL_A_LINKMODES_DUPLEX, DUPLEX_FULL);
  request.attribute<std::uint8_t>(ETHTOOL_A_LINKMODES_AUTONEG, AUTONEG_ENABLE);
  // Advertised: bit 0. Supported: bits 0, 2, 33.
  bit_set(request, ETHTOOL_A_LINKMODES_OURS, 40, {1, 0}, {5, 2});
  bit_set(request, ETHTOOL_A_LINKMODES_PEER, 40, {4, 2});
  return body_of(request);
}

BitNames mode_names() {
  BitNames names(40);
  names[0] = "25000baseCR/Full";
  names[1] = "400000baseKR8/Full";
  names[2] = "Autoneg";
  names[33] = "100000baseCR4/Full";
  return names;
}

TEST(EthtoolMessages, LinkModes) {
  const auto body = link_modes();
  const Attributes message{Bytes(body)};
  EXPECT_EQ(ethtool_link_index(message), 12);
  const LinkModes modes = parse_link_modes(message, mode_names());
  EXPECT_EQ(modes.speed_mbps, 25000u);
  EXPECT_EQ(modes.supported_speed_mbps, 100000u);
  EXPECT_STREQ(modes.duplex, "full");
  EXPECT_EQ(modes.auto_negotiation, true);
  EXPECT_EQ(modes.partner, (std::vector<std::string>{"Autoneg", "100000baseCR4/Full"}));
  // Without names (a kernel that does not tell them) the supported speed is absent.
  EXPECT_FALSE(parse_link_modes(message, {}).supported_speed_mbps);
}

TEST(EthtoolMessages, WhyALinkIsDown) {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint8_t>(ETHTOOL_A_LINKSTATE_EXT_STATE, ETHTOOL_LINK_EXT_STATE_NO_CABLE);
  request.attribute<std::uint32_t>(ETHTOOL_A_LINKSTATE_SQI, 3).attribute<std::uint32_t>(ETHTOOL_A_LINKSTATE_SQI_MAX, 7);
  const auto body = body_of(request);
  const LinkState state = parse_link_state(Attributes(Bytes(body)));
  EXPECT_STREQ(state.down_reason, "no cable");
  EXPECT_EQ(state.signal_quality, 3u);
  EXPECT_EQ(state.signal_quality_max, 7u);

  NetlinkRequest newer(0, 0);
  newer.attribute<std::uint8_t>(ETHTOOL_A_LINKSTATE_EXT_STATE, 200);
  const auto unknown = body_of(newer);
  EXPECT_EQ(parse_link_state(Attributes(Bytes(unknown))).down_reason, nullptr);
}

TEST(EthtoolMessages, ErrorCorrectionIsNamedByItsMode) {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint32_t>(ETHTOOL_A_FEC_ACTIVE, 2);
  const auto body = body_of(request);
  EXPECT_EQ(parse_error_correction(Attributes(Bytes(body)), mode_names()).active, "Autoneg");
  EXPECT_EQ(parse_error_correction(Attributes(Bytes(body)), {}).active, "");
}

TEST(EthtoolMessages, SpeedThatIsNotKnownIsAbsent) {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint32_t>(ETHTOOL_A_LINKMODES_SPEED, static_cast<std::uint32_t>(SPEED_UNKNOWN));
  request.attribute<std::uint8_t>(ETHTOOL_A_LINKMODES_DUPLEX, DUPLEX_UNKNOWN);
  const auto body = body_of(request);
  const LinkModes modes = parse_link_modes(Attributes(Bytes(body)), mode_names());
  EXPECT_FALSE(modes.speed_mbps);
  EXPECT_EQ(modes.duplex, nullptr);
}

TEST(EthtoolMessages, SpeedOfAModeIsInItsName) {
  EXPECT_EQ(mode_speed("100000baseCR4/Full"), 100000u);
  EXPECT_EQ(mode_speed("10baseT/Half"), 10u);
  EXPECT_EQ(mode_speed("Autoneg"), 0u);
  EXPECT_EQ(mode_speed("100"), 0u);
  EXPECT_EQ(mode_speed(""), 0u);
}

TEST(EthtoolMessages, RingsAndTheirHeaderSplit) {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint32_t>(ETHTOOL_A_RINGS_RX_MAX, 8192).attribute<std::uint32_t>(ETHTOOL_A_RINGS_RX, 1024);
  request.attribute<std::uint8_t>(ETHTOOL_A_RINGS_TCP_DATA_SPLIT, ETHTOOL_TCP_DATA_SPLIT_ENABLED);
  const auto body = body_of(request);
  const Rings rings = parse_rings(Attributes(Bytes(body)));
  EXPECT_EQ(rings.rx, 1024u);
  EXPECT_EQ(rings.rx_max, 8192u);
  EXPECT_FALSE(rings.tx);
  EXPECT_EQ(rings.data_split, true);
}

std::vector<std::byte> features() {
  NetlinkRequest request(0, 0);
  bit_set(request, ETHTOOL_A_FEATURES_HW, 4, {0b0111});
  bit_set(request, ETHTOOL_A_FEATURES_ACTIVE, 4, {0b0101});
  bit_set(request, ETHTOOL_A_FEATURES_NOCHANGE, 4, {0b0100});
  return body_of(request);
}

TEST(EthtoolMessages, FeaturesAreChangeableWhenTheHardwareHasThemAndNothingFixesThem) {
  const auto body = features();
  const auto parsed = parse_features(Attributes(Bytes(body)), {"rx-gro", "rx-lro", "highdma", "loopback"});
  ASSERT_EQ(parsed.size(), 4u);
  EXPECT_TRUE(parsed[0].on && parsed[0].changeable);
  EXPECT_TRUE(!parsed[1].on && parsed[1].changeable);
  EXPECT_TRUE(parsed[2].on && !parsed[2].changeable);
  EXPECT_TRUE(!parsed[3].on && !parsed[3].changeable);
}

TEST(EthtoolMessages, PauseFramesAreAbsentWhenTheDriverDoesNotCount) {
  NetlinkRequest request(0, 0);
  const auto empty = request.begin_nested(ETHTOOL_A_PAUSE_STATS);
  request.end_nested(empty);
  const auto none = body_of(request);
  EXPECT_FALSE(parse_pause_frames(Attributes(Bytes(none))));
  NetlinkRequest counting(0, 0);
  const auto nest = counting.begin_nested(ETHTOOL_A_PAUSE_STATS);
  counting.attribute<std::uint64_t>(ETHTOOL_A_PAUSE_STAT_RX_FRAMES, 17).end_nested(nest);
  const auto body = body_of(counting);
  const auto frames = parse_pause_frames(Attributes(Bytes(body)));
  ASSERT_TRUE(frames);
  EXPECT_EQ(frames->rx, 17u);
  EXPECT_FALSE(frames->tx);
}

std::vector<std::byte> string_set() {
  NetlinkRequest request(0, 0);
  const auto sets = request.begin_nested(ETHTOOL_A_STRSET_STRINGSETS);
  const auto set = request.begin_nested(ETHTOOL_A_STRINGSETS_STRINGSET);
  request.attribute<std::uint32_t>(ETHTOOL_A_STRINGSET_ID, ETH_SS_FEATURES);
  const auto strings = request.begin_nested(ETHTOOL_A_STRINGSET_STRINGS);
  for (const auto& [index, text] : {std::pair{2u, "two"}, std::pair{0u, "zero"}, std::pair{4000000000u, "far"}}) {
    const auto string = request.begin_nested(ETHTOOL_A_STRINGS_STRING);
    request.attribute<std::uint32_t>(ETHTOOL_A_STRING_INDEX, index);
    request.attribute_text(ETHTOOL_A_STRING_VALUE, text).end_nested(string);
  }
  request.end_nested(strings).end_nested(set).end_nested(sets);
  return body_of(request);
}

TEST(EthtoolMessages, StringSetsKeepTheirIndicesAndRefuseAbsurdOnes) {
  const auto body = string_set();
  EXPECT_EQ(parse_string_set(Attributes(Bytes(body)), ETH_SS_FEATURES), (BitNames{"zero", "", "two"}));
  EXPECT_TRUE(parse_string_set(Attributes(Bytes(body)), ETH_SS_STATS).empty());
}

TEST(EthtoolMessages, SurviveDamage) {
  const auto parse_all = [](Bytes bytes) {
    const Attributes message(bytes);
    (void)ethtool_link_index(message);
    (void)parse_link_modes(message, mode_names());
    (void)parse_features(message, mode_names());
    (void)parse_pause_frames(message);
    EXPECT_LE(parse_string_set(message, ETH_SS_FEATURES).size(), 4096u);
    XdpFeatures xdp;
    parse_xdp_features(message, xdp);
  };
  for (const auto& good : {link_modes(), features(), string_set()}) feed_damaged(good, parse_all);
}

TEST(XdpFeatures, AreNamedByBit) {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint32_t>(1, 4).attribute<std::uint64_t>(3, 0b1001011);
  const auto body = body_of(request);
  XdpFeatures features_of;
  parse_xdp_features(Attributes(Bytes(body)), features_of);
  EXPECT_EQ(features_of[4], (std::vector<std::string>{"basic", "redirect", "xsk-zerocopy", "ndo-xmit-sg"}));
}

}  // namespace
}  // namespace sockdoc
