#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/gaps.h"
#include "probes/events/netns_events.h"

namespace sockdoc {

/**
 * Counts TCP sockets that end in some network namespaces, between two readings, from the kernel's own events, so that
 * none is missed however short it lived. A thread of its own takes the events; it sleeps while there are none, and
 * wakes at most 50 times a second while there are. Nothing stays in the kernel after stop(), the end of the object or
 * of the process.
 */
class ConnectionEvents {
 public:
  ConnectionEvents() = default;
  ConnectionEvents(const ConnectionEvents&) = delete;
  ConnectionEvents& operator=(const ConnectionEvents&) = delete;
  ~ConnectionEvents() { stop(); }

  /** Begins anew, in the namespaces at these paths (as in_netns takes them): {"gaps":[…]}. */
  std::string start(const std::vector<std::string>& netns);
  /** What ended since start() or the read() before: `EventsAnswer` of src/probes/native.ts. */
  std::string read();
  void stop();

 private:
  void open(const std::string& path, Gaps& gaps);
  void run(int stop) const;
  void end_thread();

  std::mutex mutex_;                                      // start, read and stop wait for each other
  std::vector<std::unique_ptr<NetnsEvents>> namespaces_;  // fixed while the thread runs
  std::thread thread_;
  Fd stop_;
  double began_ms_ = 0;
};

}  // namespace sockdoc
