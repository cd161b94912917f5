#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "probes/events/destroy_socket.h"
#include "probes/events/ended.h"
#include "probes/events/listening_ports.h"

namespace sockdoc {

/**
 * The destroy events of one namespace, kept as small records until the next reading: only then can be said which ports
 * are listeners'. drain() and take() may be called from different threads.
 */
class NetnsEvents {
 public:
  /** From a thread that is inside the namespace. */
  static Result<std::unique_ptr<NetnsEvents>> open();

  [[nodiscard]] int fd() const { return events_.fd(); }
  [[nodiscard]] std::size_t room() const { return events_.room(); }

  void drain();
  EndedNow take();

 private:
  NetnsEvents(DestroySocket events, NetlinkSocket queries) : events_(std::move(events)), queries_(std::move(queries)) {}

  void drain_locked();
  /** Counts what waits, by the ports that are known to listen now. */
  void settle();
  [[nodiscard]] bool listens(std::uint16_t port) const { return listening_->test(port) || listened_->test(port); }
  void count(const EndedKey& key, const EndedSums& sums);
  void refresh_listeners();

  std::mutex mutex_;  // of everything below
  DestroySocket events_;
  NetlinkSocket queries_;
  // Of the last two looks: a listener may end together with its connections.
  std::unique_ptr<PortSet> listening_ = std::make_unique<PortSet>();
  std::unique_ptr<PortSet> listened_ = std::make_unique<PortSet>();
  std::vector<EndedSocket> waiting_;
  std::map<EndedKey, EndedSums> groups_;
  EndedSums total_;
  bool lost_ = false;
};

}  // namespace sockdoc
