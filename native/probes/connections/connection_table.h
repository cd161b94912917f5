#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "probes/connections/containers.h"
#include "probes/connections/filter.h"
#include "probes/connections/order.h"
#include "probes/connections/owner_cache.h"

namespace sockdoc {

/** Which rows are wanted: ConnectionSelection in src/probes/connections.ts. */
struct ConnectionSelection {
  Filter filter;
  std::vector<int> pids;  // only sockets that one of them holds; empty: all
  Sort sort = Sort::matters;
  bool reverse = false;
  std::size_t limit = ~std::size_t{0};
  std::vector<std::uint64_t> keep;  // cookies of rows wanted beside those, whatever the filter
  bool row_per_line = false;
};

/** ConnectionsRequest there. */
struct ConnectionsRequest {
  struct Netns {
    std::string path;
    std::string label;
  };
  std::vector<Netns> netns;
  std::vector<int> self_pids;
  bool processes = false;
  std::size_t threads = 0;
  std::size_t pairs = 0;
  std::map<std::string, std::string> container_names;  // by id
  Transports transports;
  ConnectionSelection selection;
};

/** An answer in two: what is small, and the rows, which may be passed on unread. */
struct ConnectionsAnswer {
  std::string head;
  std::string rows;
};

/**
 * Every TCP socket of some network namespaces, joined with the processes that hold it and with its other end. Filter,
 * order and limit apply here, over all of them: only the rows that are wanted are written. Each reading is compared
 * with the one before it; holders are remembered between readings (OwnerCache). Memory is some 700 bytes per socket.
 */
class ConnectionTable {
 public:
  ConnectionTable();
  ~ConnectionTable();

  /** Reads. Calls wait for each other. */
  ConnectionsAnswer read(const ConnectionsRequest& request);

  /** Other rows of the last reading; empty before the first. */
  ConnectionsAnswer select(const ConnectionSelection& selection);

 private:
  struct State;

  std::mutex reading_;
  std::unique_ptr<State> state_;
};

}  // namespace sockdoc
