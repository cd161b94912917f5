#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/gaps.h"
#include "probes/events/netns_events.h"
#include "probes/events/transitions.h"

namespace sockdoc {

/** EventsRequest of src/probes/native.ts. */
struct EventsRequest {
  std::vector<std::string> netns;  // paths, as in_netns takes them
  bool destroy_events_only = false;
};

/**
 * Counts TCP sockets that end in some network namespaces, between two readings, from the kernel's own events, so that
 * none is missed however short it lived. Where BPF is permitted the kernel counts by itself (Transitions); elsewhere a
 * thread takes the destroy events of sock_diag (NetnsEvents): it sleeps while there are none, and wakes at most 50
 * times a second while there are. Nothing stays in the kernel after stop(), the end of the object or of the process.
 */
class ConnectionEvents {
 public:
  ConnectionEvents() = default;
  ConnectionEvents(const ConnectionEvents&) = delete;
  ConnectionEvents& operator=(const ConnectionEvents&) = delete;
  ~ConnectionEvents() { stop(); }

  /** Begins anew: {"gaps":[…]}, which every read() repeats. */
  std::string start(const EventsRequest& request);
  /** What ended since start() or the read() before: `EventsAnswer` of src/probes/native.ts. */
  std::string read();
  void stop();

 private:
  struct Watched {
    std::string path;
    std::string id;
    std::unique_ptr<NetnsEvents> events;  // without Transitions
  };

  void open(const std::string& path);
  Status open_inside(Watched& netns);
  void run(int stop) const;
  void start_thread();
  void end();

  std::mutex mutex_;  // start, read and stop wait for each other
  std::optional<Transitions> transitions_;
  std::vector<Watched> namespaces_;  // fixed while the thread runs
  std::thread thread_;
  Fd stop_;
  double began_ms_ = 0;
  Gaps gaps_;  // of the start: they hold for every reading
};

}  // namespace sockdoc
