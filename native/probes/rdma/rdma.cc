#include "probes/rdma/rdma.h"

#include <unistd.h>

#include "base/gaps.h"
#include "probes/rdma/rdma_messages.h"
#include "probes/rdma/verbs.h"

namespace sockdoc {
namespace {

void write_device(Json& json, const RdmaRow& device) {
  json.begin_object().field("name", device.name);
  if (!device.driver.empty()) json.field("driver", device.driver);
  json.key("ports").begin_array();
  for (const RdmaPortRow& port : device.ports) {
    json.begin_object().field("port", port.port);
    if (!port.interface.empty()) json.field("interface", port.interface);
    json.end_object();
  }
  json.end_array();
  if (!device.resources.empty()) {
    json.key("resources").begin_object();
    for (const auto& [kind, count] : device.resources) json.field(kind, count);
    json.end_object();
  }
  json.end_object();
}

}  // namespace

std::string read_rdma() {
  Gaps gaps;
  const bool loaded = ::access("/sys/class/infiniband", F_OK) == 0;
  std::vector<RdmaRow> devices;
  bool answers = false;
  if (loaded) {
    auto read = read_rdma_devices();
    answers = read.ok();
    if (read) {
      devices = std::move(*read);
    } else {
      gaps.add_errno("rdma", "RDMA netlink", read.error().code, "CAP_NET_ADMIN");
    }
  }
  Json json;
  json.begin_object().field("netlink", answers).key("devices").begin_array();
  for (const RdmaRow& device : devices) write_device(json, device);
  json.end_array().key("verbs");
  // After netlink, whose counts of contexts would else include ours.
  write_verbs(json, loaded);
  json.key("gaps");
  gaps.write(json);
  json.end_object();
  return json.take();
}

}  // namespace sockdoc
