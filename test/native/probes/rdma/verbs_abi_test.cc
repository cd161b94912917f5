// Compares the declarations that the probe is built with to those of rdma-core, where its headers are installed.
#include "probes/rdma/verbs_abi.h"

#include <gtest/gtest.h>

#if __has_include(<infiniband/verbs.h>)
#include <infiniband/verbs.h>
#define SOCKDOC_HAVE_VERBS_HEADER 1
#endif

namespace sockdoc {
namespace {

TEST(VerbsAbi, IsThatOfTheHeader) {
#ifdef SOCKDOC_HAVE_VERBS_HEADER
  EXPECT_EQ(sizeof(verbs::Device), sizeof(ibv_device));
  EXPECT_EQ(offsetof(verbs::Device, name), offsetof(ibv_device, name));
  EXPECT_EQ(sizeof(verbs::DeviceAttributes), sizeof(ibv_device_attr));
  EXPECT_EQ(offsetof(verbs::DeviceAttributes, max_qp), offsetof(ibv_device_attr, max_qp));
  EXPECT_EQ(offsetof(verbs::DeviceAttributes, atomic_cap), offsetof(ibv_device_attr, atomic_cap));
  EXPECT_EQ(offsetof(verbs::DeviceAttributes, max_srq), offsetof(ibv_device_attr, max_srq));
  EXPECT_EQ(offsetof(verbs::DeviceAttributes, phys_port_cnt), offsetof(ibv_device_attr, phys_port_cnt));
  EXPECT_EQ(offsetof(verbs::ExtendedAttributes, on_demand_paging), offsetof(ibv_device_attr_ex, odp_caps));
  EXPECT_EQ(offsetof(verbs::ExtendedAttributes, max_dm_size), offsetof(ibv_device_attr_ex, max_dm_size));
  EXPECT_LE(sizeof(verbs::ExtendedAttributes), sizeof(ibv_device_attr_ex));
  EXPECT_EQ(offsetof(verbs::PortAttributes, active_mtu), offsetof(ibv_port_attr, active_mtu));
  EXPECT_GE(sizeof(verbs::PortAttributes), sizeof(ibv_port_attr));
  EXPECT_EQ(offsetof(verbs::Context, num_comp_vectors), offsetof(ibv_context, num_comp_vectors));
  EXPECT_EQ(offsetof(verbs::Context, abi_compat), offsetof(ibv_context, abi_compat));
  EXPECT_EQ(sizeof(verbs::Context), sizeof(ibv_context));
  constexpr std::size_t kBegin = offsetof(verbs_context, query_device_ex);
  EXPECT_EQ(offsetof(verbs::ExtendedContext, size), offsetof(verbs_context, sz) - kBegin);
  EXPECT_EQ(offsetof(verbs::ExtendedContext, context), offsetof(verbs_context, context) - kBegin);
  EXPECT_EQ(IBV_ATOMIC_NONE, 0);
  EXPECT_EQ(IBV_ATOMIC_HCA, 1);
#else
  GTEST_SKIP() << "needs libibverbs-dev";
#endif
}

}  // namespace
}  // namespace sockdoc
