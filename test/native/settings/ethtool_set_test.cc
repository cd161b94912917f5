#include "settings/ethtool_set.h"

#include <gtest/gtest.h>

#include "../json_reader.h"
#include "errno_of.h"
#include "other_netns.h"
#include "probes/links/links.h"

namespace sockdoc {
namespace {

/** "on", "off", or "" where the loopback of a namespace has no such feature. */
std::string feature_of(const std::string& netns, const std::string& name) {
  const JsonValue answer = JsonReader::read(read_links({.netns = netns}));
  for (const JsonValue& link : answer["links"].items) {
    if (link["name"].text != "lo" || !link.has("features") || !link["features"].has(name)) continue;
    return link["features"][name]["on"].number != 0 ? "on" : "off";
  }
  return "";
}

class EthtoolSet : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!other_.made()) GTEST_SKIP() << "network namespaces cannot be made here";
  }
  OtherNetns other_;
};

TEST_F(EthtoolSet, TurnsOneFeatureAndLeavesTheOthers) {
  ASSERT_EQ(feature_of(other_.path(), "rx-gro"), "on");
  const std::string beside = feature_of(other_.path(), "tx-tcp-segmentation");
  EXPECT_EQ(set_ethtool({other_.path(), "lo", "features.rx-gro", 0}), "{}");
  EXPECT_EQ(feature_of(other_.path(), "rx-gro"), "off");
  EXPECT_EQ(feature_of(other_.path(), "tx-tcp-segmentation"), beside);
  EXPECT_EQ(set_ethtool({other_.path(), "lo", "features.rx-gro", 1}), "{}");
  EXPECT_EQ(feature_of(other_.path(), "rx-gro"), "on");
}

TEST_F(EthtoolSet, NamesWhyItCannot) {
  const auto refused = [&](const char* link, const char* field) {
    return errno_of(set_ethtool({other_.path(), link, field, 1}));
  };
  EXPECT_EQ(refused("none0", "features.rx-gro"), "ENODEV");
  EXPECT_EQ(refused("lo", "speed"), "ENOENT");
  EXPECT_NE(refused("lo", "features.no-such-feature"), "");
  for (const char* field : {"rings.rx", "channels.combined", "coalescing.rxUsecs", "coalescing.adaptiveRx"}) {
    EXPECT_EQ(refused("lo", field), "EOPNOTSUPP") << field;
  }
  EXPECT_NE(refused("a name that is far too long for an interface", "rings.rx"), "");
  EXPECT_EQ(errno_of(set_ethtool({"/proc/self/ns/none", "lo", "features.rx-gro", 1})), "ENOENT");
}

}  // namespace
}  // namespace sockdoc
