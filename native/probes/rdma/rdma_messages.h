#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "probes/netlink.h"

namespace sockdoc {

/** A port of an RDMA device with the network device behind it, where that is in our namespace. */
struct RdmaPortRow {
  std::uint32_t port = 0;
  std::string interface;
};

/** What RDMA netlink (rdma/rdma_netlink.h) knows of one device. */
struct RdmaRow {
  std::uint32_t index = 0;
  std::string name;
  std::uint32_t port_count = 0;
  std::string driver;  // by the driver number of uverbs; empty when it does not tell
  std::vector<RdmaPortRow> ports;
  std::map<std::string, std::uint64_t> resources;  // in use, by kind
};

/** From an answer to RDMA_NLDEV_CMD_GET. */
std::optional<RdmaRow> parse_rdma_device(Bytes payload);
/** From an answer to RDMA_NLDEV_CMD_PORT_GET. */
std::optional<RdmaPortRow> parse_rdma_port(Bytes payload);
/** From an answer to RDMA_NLDEV_CMD_RES_GET: what is in use, for the device of the index. */
std::map<std::string, std::uint64_t> parse_rdma_resources(Bytes payload, std::uint32_t& index);
/** From an answer to RDMA_NLDEV_CMD_GET_CHARDEV. */
std::string parse_rdma_driver(Bytes payload);

/**
 * All devices of this namespace. Opening the socket makes some kernels load ib_core, so ask only where
 * /sys/class/infiniband is there already.
 */
Result<std::vector<RdmaRow>> read_rdma_devices();

}  // namespace sockdoc
