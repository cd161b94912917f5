#include "probes/rdma/rdma_messages.h"

#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_netlink.h>

namespace sockdoc {
namespace {

constexpr std::uint16_t message_type(unsigned command) {
  return static_cast<std::uint16_t>(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command));
}

std::string driver_name(std::uint64_t number) {
  constexpr std::uint64_t kMana = 20;  // RDMA_DRIVER_MANA, Linux 6.2
  switch (number) {
    case RDMA_DRIVER_MLX5:
      return "mlx5_core";
    case RDMA_DRIVER_MLX4:
      return "mlx4_core";
    case RDMA_DRIVER_CXGB4:
      return "cxgb4";
    case RDMA_DRIVER_BNXT_RE:
      return "bnxt_en";
    case RDMA_DRIVER_IRDMA:
      return "irdma";
    case RDMA_DRIVER_VMW_PVRDMA:
      return "vmw_pvrdma";
    case RDMA_DRIVER_QEDR:
      return "qedr";
    case RDMA_DRIVER_HNS:
      return "hns_roce";
    case RDMA_DRIVER_RXE:
      return "rxe";
    case RDMA_DRIVER_HFI1:
      return "hfi1";
    case RDMA_DRIVER_EFA:
      return "efa";
    case RDMA_DRIVER_SIW:
      return "siw";
    case RDMA_DRIVER_ERDMA:
      return "erdma";
    case kMana:
      return "mana";
    default:
      return {};
  }
}

Status read_ports(NetlinkSocket& socket, RdmaRow& device) {
  NetlinkRequest request(message_type(RDMA_NLDEV_CMD_PORT_GET), NLM_F_DUMP);
  request.attribute<std::uint32_t>(RDMA_NLDEV_ATTR_DEV_INDEX, device.index);
  const auto answer = socket.request(request, [&](std::uint16_t, Bytes payload) {
    if (auto port = parse_rdma_port(payload)) device.ports.push_back(std::move(*port));
  });
  if (!answer) return answer.error();
  return Done{};
}

/** Absent before Linux 5.1 and without ib_uverbs: then sysfs has to tell. */
void read_driver(NetlinkSocket& socket, RdmaRow& device) {
  NetlinkRequest request(message_type(RDMA_NLDEV_CMD_GET_CHARDEV), 0);
  request.attribute<std::uint32_t>(RDMA_NLDEV_ATTR_DEV_INDEX, device.index);
  request.attribute_text(RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs");
  (void)socket.request(request, [&](std::uint16_t, Bytes payload) { device.driver = parse_rdma_driver(payload); });
}

}  // namespace

std::optional<RdmaRow> parse_rdma_device(Bytes payload) {
  RdmaRow device;
  bool indexed = false;
  for (const Attribute& attribute : Attributes(payload)) {
    if (attribute.type == RDMA_NLDEV_ATTR_DEV_INDEX) {
      device.index = static_cast<std::uint32_t>(attribute.number());
      indexed = true;
    }
    if (attribute.type == RDMA_NLDEV_ATTR_DEV_NAME) device.name = attribute.text();
    // Of a device, this is the number of its ports.
    if (attribute.type == RDMA_NLDEV_ATTR_PORT_INDEX) {
      device.port_count = static_cast<std::uint32_t>(attribute.number());
    }
  }
  if (!indexed || device.name.empty()) return std::nullopt;
  return device;
}

std::optional<RdmaPortRow> parse_rdma_port(Bytes payload) {
  const Attributes message(payload);
  const auto port = message.find(RDMA_NLDEV_ATTR_PORT_INDEX);
  if (!port) return std::nullopt;
  RdmaPortRow row{static_cast<std::uint32_t>(port->number()), {}};
  if (const auto name = message.find(RDMA_NLDEV_ATTR_NDEV_NAME)) row.interface = name->text();
  return row;
}

std::map<std::string, std::uint64_t> parse_rdma_resources(Bytes payload, std::uint32_t& index) {
  std::map<std::string, std::uint64_t> resources;
  const Attributes message(payload);
  if (const auto device = message.find(RDMA_NLDEV_ATTR_DEV_INDEX)) {
    index = static_cast<std::uint32_t>(device->number());
  }
  const auto summary = message.find(RDMA_NLDEV_ATTR_RES_SUMMARY);
  if (!summary) return resources;
  for (const Attribute& entry : Attributes(summary->payload)) {
    const Attributes parts(entry.payload);
    const auto name = parts.find(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME);
    const auto count = parts.find(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR);
    if (name && count) resources[std::string(name->text())] = count->number();
  }
  return resources;
}

std::string parse_rdma_driver(Bytes payload) {
  const auto number = Attributes(payload).find(RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID);
  return number ? driver_name(number->number()) : std::string();
}

Result<std::vector<RdmaRow>> read_rdma_devices() {
  auto socket = NetlinkSocket::open(NETLINK_RDMA);
  if (!socket) return socket.error();
  std::vector<RdmaRow> devices;
  NetlinkRequest list(message_type(RDMA_NLDEV_CMD_GET), NLM_F_DUMP);
  const auto listed = socket->request(list, [&](std::uint16_t, Bytes payload) {
    if (auto device = parse_rdma_device(payload)) devices.push_back(std::move(*device));
  });
  if (!listed) return listed.error();
  NetlinkRequest resources(message_type(RDMA_NLDEV_CMD_RES_GET), NLM_F_DUMP);
  // Absent before Linux 4.17; the devices are of use without.
  (void)socket->request(resources, [&](std::uint16_t, Bytes payload) {
    std::uint32_t index = 0;
    auto in_use = parse_rdma_resources(payload, index);
    for (RdmaRow& device : devices) {
      if (device.index == index) device.resources.merge(in_use);
    }
  });
  for (RdmaRow& device : devices) {
    // A port that cannot be asked has no network device to name: sysfs may still know it.
    (void)read_ports(*socket, device);
    read_driver(*socket, device);
  }
  return devices;
}

}  // namespace sockdoc
