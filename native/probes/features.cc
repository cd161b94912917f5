#include "probes/features.h"

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/fd.h"
#include "base/gaps.h"
#include "base/json.h"
#include "base/result.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sockdoc {
namespace {

// From linux/io_uring.h; the headers that we build with may be older than the kernel.
constexpr unsigned kOpSendZeroCopy = 47;     // 6.0
constexpr unsigned kOpReceiveZeroCopy = 58;  // 6.15
constexpr unsigned kOps = 128;

class Features {
 public:
  Features() { json_.begin_object().key("features").begin_object(); }

  void add(const char* name, bool available, const std::string& detail = {}) {
    json_.key(name).begin_object().field("available", available);
    if (!detail.empty()) json_.field("detail", detail);
    json_.end_object();
  }

  void unknown(const char* name, int code, const char* needs) { gaps_.add_errno("features", name, code, needs); }

  std::string finish(const std::optional<std::string>& hypervisor) {
    json_.end_object();
    if (hypervisor) json_.field("hypervisor", *hypervisor);
    json_.field("pageBytes", static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE)));
    json_.key("gaps");
    gaps_.write(json_);
    json_.end_object();
    return json_.take();
  }

 private:
  Json json_;
  Gaps gaps_;
};

/** struct io_uring_probe with room for its flexible array. */
class OpProbe {
 public:
  explicit OpProbe(int ring) {
    if (::syscall(SYS_io_uring_register, ring, IORING_REGISTER_PROBE, bytes_.data(), kOps) == 0) {
      std::memcpy(&header_, bytes_.data(), sizeof header_);
    }
  }

  [[nodiscard]] bool has(unsigned op) const {
    if (op >= header_.ops_len || op >= kOps) return false;
    io_uring_probe_op entry{};
    std::memcpy(&entry, bytes_.data() + sizeof header_ + op * sizeof entry, sizeof entry);
    return (entry.flags & IO_URING_OP_SUPPORTED) != 0;
  }

 private:
  alignas(io_uring_probe) std::array<std::byte, sizeof(io_uring_probe) + kOps * sizeof(io_uring_probe_op)> bytes_{};
  io_uring_probe header_{};
};

void try_io_uring(Features& features) {
  io_uring_params params{};
  const Fd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &params)));
  if (!ring.valid()) {
    // EPERM: the sysctl kernel.io_uring_disabled, or a container's seccomp filter. Either way programs here cannot.
    const std::string why = errno == EPERM ? "refused: kernel.io_uring_disabled or a seccomp filter" : "";
    const bool resources = errno == ENOMEM || errno == EMFILE || errno == ENFILE;
    if (resources) return features.unknown("io_uring", errno, "");
    for (const char* name : {"io_uring", "io_uring-send-zc", "io_uring-recv-zc"}) features.add(name, false, why);
    return;
  }
  features.add("io_uring", true);
  const OpProbe probe(ring.get());
  features.add("io_uring-send-zc", probe.has(kOpSendZeroCopy));
  features.add("io_uring-recv-zc", probe.has(kOpReceiveZeroCopy));
}

int create_map(bpf_map_type type) {
  bpf_attr attributes{};
  attributes.map_type = type;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

void try_map(Features& features, const char* name, bpf_map_type type) {
  const Fd map(create_map(type));
  if (map.valid()) return features.add(name, true);
  if (errno == EPERM) return features.unknown(name, errno, "CAP_BPF and CAP_NET_ADMIN");
  features.add(name, false);
}

void try_zero_copy(Features& features) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return features.unknown("msg-zerocopy", errno, "");
  const int on = 1;
  features.add("msg-zerocopy", ::setsockopt(socket.get(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0);
}

/** The signature of CPUID leaf 0x40000000, "KVMKVMKVM"; empty on bare metal, nothing where CPUID is unknown. */
std::optional<std::string> hypervisor() {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned kHypervisorBit = 1u << 31;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kHypervisorBit) == 0) return std::string();
  __cpuid(0x40000000, a, b, c, d);
  std::array<char, 13> text{};
  std::memcpy(text.data(), &b, 4);
  std::memcpy(text.data() + 4, &c, 4);
  std::memcpy(text.data() + 8, &d, 4);
  return std::string(text.data());
#else
  return std::nullopt;
#endif
}

}  // namespace

std::string read_features() {
  Features features;
  try_io_uring(features);
  try_map(features, "bpf", BPF_MAP_TYPE_ARRAY);
  try_map(features, "sockmap", BPF_MAP_TYPE_SOCKMAP);
  try_zero_copy(features);
  return features.finish(hypervisor());
}

}  // namespace sockdoc
