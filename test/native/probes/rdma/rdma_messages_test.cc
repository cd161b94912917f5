#include "probes/rdma/rdma_messages.h"

#include <gtest/gtest.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_netlink.h>

#include "../random_bytes.h"

namespace sockdoc {
namespace {

std::vector<std::byte> resources() {
  NetlinkRequest request(0, 0);
  request.attribute<std::uint32_t>(RDMA_NLDEV_ATTR_DEV_INDEX, 3);
  request.attribute_text(RDMA_NLDEV_ATTR_DEV_NAME, "rxe0");
  request.attribute<std::uint32_t>(RDMA_NLDEV_ATTR_PORT_INDEX, 1);
  request.attribute_text(RDMA_NLDEV_ATTR_NDEV_NAME, "eth0");
  request.attribute<std::uint32_t>(RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID, RDMA_DRIVER_RXE);
  const auto summary = request.begin_nested(RDMA_NLDEV_ATTR_RES_SUMMARY);
  for (const auto& [name, count] : {std::pair{"qp", 4u}, std::pair{"cm_id", 2u}}) {
    const auto entry = request.begin_nested(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY);
    request.attribute_text(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name);
    request.attribute<std::uint64_t>(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, count).end_nested(entry);
  }
  request.end_nested(summary);
  return body_of(request);
}

TEST(RdmaMessages, ReadDevicePortDriverAndResources) {
  const auto body = resources();
  const auto device = parse_rdma_device(body);
  ASSERT_TRUE(device);
  EXPECT_EQ(device->index, 3u);
  EXPECT_EQ(device->name, "rxe0");
  EXPECT_EQ(device->port_count, 1u);
  EXPECT_EQ(parse_rdma_port(body)->interface, "eth0");
  EXPECT_EQ(parse_rdma_driver(body), "rxe");
  std::uint32_t index = 0;
  const std::map<std::string, std::uint64_t> expected{{"qp", 4}, {"cm_id", 2}};
  EXPECT_EQ(parse_rdma_resources(body, index), expected);
  EXPECT_EQ(index, 3u);
}

TEST(RdmaMessages, SurviveDamage) {
  feed_damaged(resources(), [](Bytes bytes) {
    std::uint32_t index = 0;
    (void)parse_rdma_device(bytes);
    (void)parse_rdma_port(bytes);
    (void)parse_rdma_driver(bytes);
    (void)parse_rdma_resources(bytes, index);
  });
}

}  // namespace
}  // namespace sockdoc
