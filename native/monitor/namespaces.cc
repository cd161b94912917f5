#include "monitor/namespaces.h"

#include <linux/netlink.h>

#include <optional>
#include <string>

#include "base/netns.h"

namespace sockdoc::monitor {

Result<std::shared_ptr<Namespace>> Namespaces::enter(std::uint64_t id, int proc) {
  std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
  if (const auto found = known_.find(id); found != known_.end()) {
    if (auto kept = found->second.lock()) return kept;
  }
  const auto own = netns_id("");
  const bool here = own && *own == id;
  const std::string path = here ? "" : "/proc/self/fd/" + std::to_string(proc) + "/ns/net";
  std::optional<Result<NetlinkSocket>> opened;
  std::uint64_t entered = 0;
  const auto open = [&] {
    entered = netns_id("/proc/thread-self/ns/net").ok() ? *netns_id("/proc/thread-self/ns/net") : 0;
    opened.emplace(NetlinkSocket::open(NETLINK_SOCK_DIAG));
  };
  if (here) {
    open();
  } else if (const Status done = in_netns(path, false, open); !done) {
    return done.error();
  }
  if (!*opened) return opened->error();
  if (entered != id) return Error{ESTALE, "enter " + path};  // it moved on meanwhile
  auto made = std::make_shared<Namespace>(Namespace{id, std::move(opened->value())});
  known_[id] = made;
  return made;
}

}  // namespace sockdoc::monitor
