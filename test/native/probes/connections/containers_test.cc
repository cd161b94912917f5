#include "probes/connections/containers.h"

#include <gtest/gtest.h>

namespace sockdoc {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(Containers, IdsAndNamesAsEnginesWriteThem) {
  EXPECT_EQ(container_in("0::/system.slice/docker-" + kId + ".scope\n"), kId);
  EXPECT_EQ(container_in("4:cpu:/docker/" + kId + "\n1:name=systemd:/docker/" + kId + "\n"), kId);
  EXPECT_EQ(container_in("0::/kubepods.slice/cri-containerd:" + kId + "\n"), kId);
  EXPECT_EQ(container_in("0::/machine.slice/libpod-conmon-" + kId + ".scope\n"), "") << "the monitor beside it";
  EXPECT_EQ(container_in("0::/lxc.payload.web/system.slice\n"), "web");
  EXPECT_EQ(container_in("0::/machine.slice/machine-my\\x2dbox.scope\n"), "my-box");
  EXPECT_EQ(container_in("0::/machine.slice/systemd-nspawn@web.service\n"), "web");
  EXPECT_EQ(container_in("0::/user.slice/session-1.scope\n"), "");
  EXPECT_EQ(container_in(""), "");
  EXPECT_EQ(container_in("0::/docker/" + kId.substr(1) + "\n"), "") << "one digit too few";
}

}  // namespace
}  // namespace sockdoc
