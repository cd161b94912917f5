#include "probes/rdma/verbs.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "probes/rdma/verbs_abi.h"

namespace sockdoc {
namespace {

constexpr const char* kLibrary = "libibverbs.so.1";
constexpr const char* kVersion = "IBVERBS_1.1";

struct Library {
  verbs::Device** (*get_device_list)(int*) = nullptr;
  void (*free_device_list)(verbs::Device**) = nullptr;
  verbs::Context* (*open_device)(verbs::Device*) = nullptr;
  int (*close_device)(verbs::Context*) = nullptr;
  int (*query_device)(verbs::Context*, verbs::DeviceAttributes*) = nullptr;
  int (*query_port)(verbs::Context*, std::uint8_t, verbs::PortAttributes*) = nullptr;
};

template <typename Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlvsym(handle, name, kVersion));
  return function != nullptr;
}

/** Never unloaded: its providers leave handlers behind (fork, exit) that must stay callable. */
std::optional<Library> load(std::string& error) {
  void* handle = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    error = reason != nullptr ? reason : "cannot be loaded";
    return std::nullopt;
  }
  Library library;
  if (!find(handle, "ibv_get_device_list", library.get_device_list) ||
      !find(handle, "ibv_free_device_list", library.free_device_list) ||
      !find(handle, "ibv_open_device", library.open_device) ||
      !find(handle, "ibv_close_device", library.close_device) ||
      !find(handle, "ibv_query_device", library.query_device) || !find(handle, "ibv_query_port", library.query_port)) {
    error = std::string(kLibrary) + " lacks functions of version " + kVersion;
    return std::nullopt;
  }
  return library;
}

/** As the inline function ibv_query_device_ex() of the public header: extended where the provider can, else plain. */
int query(const Library& library, verbs::Context* context, verbs::ExtendedAttributes& attributes) {
  if (context->abi_compat == reinterpret_cast<void*>(UINTPTR_MAX)) {
    auto* extended = reinterpret_cast<verbs::ExtendedContext*>(reinterpret_cast<char*>(context) -
                                                               offsetof(verbs::ExtendedContext, context));
    if (extended->size >= sizeof *extended && extended->query_device_ex != nullptr) {
      const int code = extended->query_device_ex(context, nullptr, &attributes, sizeof attributes);
      if (code != EOPNOTSUPP && code != ENOSYS) return code;
    }
  }
  attributes = {};
  return library.query_device(context, &attributes.original);
}

const char* atomics(int capability) { return capability == 0 ? "none" : capability == 1 ? "hca" : "global"; }

void write_maxima(Json& json, const verbs::ExtendedAttributes& attributes, int completion_vectors) {
  const verbs::DeviceAttributes& device = attributes.original;
  json.key("maxima").begin_object();
  json.field("maxQp", device.max_qp).field("maxQpWr", device.max_qp_wr).field("maxSge", device.max_sge);
  json.field("maxCq", device.max_cq).field("maxCqe", device.max_cqe).field("maxMr", device.max_mr);
  json.field("maxMrBytes", device.max_mr_size).field("maxPd", device.max_pd).field("maxSrq", device.max_srq);
  json.field("atomics", atomics(device.atomic_cap));
  json.field("onDemandPaging", (attributes.on_demand_paging.general & 1) != 0);
  json.field("deviceMemoryBytes", attributes.max_dm_size).field("completionVectors", completion_vectors).end_object();
}

void write_ports(Json& json, const Library& library, verbs::Context* context, unsigned count) {
  const auto bytes = [](int mtu) { return mtu >= 1 && mtu <= 5 ? 128 << mtu : 0; };
  json.key("ports").begin_array();
  for (unsigned port = 1; port <= count; ++port) {
    verbs::PortAttributes attributes{};
    if (library.query_port(context, static_cast<std::uint8_t>(port), &attributes) != 0) continue;
    if (bytes(attributes.active_mtu) == 0 || bytes(attributes.max_mtu) == 0) continue;
    json.begin_object().field("port", port).field("activeMtu", bytes(attributes.active_mtu));
    json.field("maxMtu", bytes(attributes.max_mtu)).end_object();
  }
  json.end_array();
}

/** 0, or the errno that opening the device's node would give: the library tries other ways and forgets why. */
int node_error(const verbs::Device* device) {
  const std::string node(device->dev_name, ::strnlen(device->dev_name, sizeof device->dev_name));
  return ::faccessat(AT_FDCWD, ("/dev/infiniband/" + node).c_str(), R_OK | W_OK, AT_EACCESS) == 0 ? 0 : errno;
}

void write_device(Json& json, const Library& library, verbs::Device* device) {
  json.begin_object().field("name", std::string(device->name, ::strnlen(device->name, sizeof device->name)));
  const int denied = node_error(device);
  errno = 0;
  verbs::Context* context = denied == 0 ? library.open_device(device) : nullptr;
  if (context == nullptr) {
    const int code = denied != 0 ? denied : errno;
    json.field("error", std::string("open: ") + std::strerror(code));
    if (const char* name = strerrorname_np(code); name != nullptr) json.field("errno", name);
  } else {
    verbs::ExtendedAttributes attributes{};
    const int code = query(library, context, attributes);
    if (code == 0) {
      write_maxima(json, attributes, context->num_comp_vectors);
      write_ports(json, library, context, attributes.original.phys_port_cnt);
    } else {
      json.field("error", std::string("query: ") + std::strerror(code));
    }
    library.close_device(context);
  }
  json.end_object();
}

}  // namespace

void write_verbs(Json& json, bool devices_expected) {
  json.begin_object();
  std::string error;
  const auto library = load(error);
  if (!library) {
    json.field("error", error).end_object();
    return;
  }
  json.field("library", kLibrary);
  verbs::Device** devices = nullptr;
  int count = 0;
  errno = 0;
  if (devices_expected) devices = library->get_device_list(&count);
  if (devices_expected && devices == nullptr) {
    json.field("error", std::string("ibv_get_device_list: ") + std::strerror(errno));
  } else {
    json.key("devices").begin_array();
    for (int i = 0; i < count; ++i) write_device(json, *library, devices[i]);
    json.end_array();
  }
  if (devices != nullptr) library->free_device_list(devices);
  json.end_object();
}

}  // namespace sockdoc
