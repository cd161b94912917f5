#pragma once

#include <map>

#include "probes/events/ended.h"
#include "probes/events/listening_ports.h"
#include "probes/events/transition_program.h"

namespace sockdoc {

/**
 * Counts connections that end, in the kernel, by who began them (see TransitionPrograms). Costs nothing in user
 * space until it is read, and a read costs by the processes and ports that were met, not by connections. One thread at
 * a time.
 */
class Transitions {
 public:
  static Result<Transitions> attach();

  /** From now on in the namespace with this inode number; these are its listeners. */
  Status watch(std::uint32_t netns, const PortSet& listening);

  /** What ended since the call before, by namespace, also where nothing did. */
  std::map<std::uint32_t, EndedNow> take();

 private:
  Transitions(TransitionMaps maps, TransitionPrograms programs)
      : maps_(std::move(maps)), programs_(std::move(programs)) {}

  void take_groups(std::map<std::uint32_t, EndedNow>& all);
  [[nodiscard]] EndedGroup group_of(const TransitionKey& key, const TransitionGroup& group,
                                    const EndedSums& sums) const;
  void take_rest(std::map<std::uint32_t, EndedNow>& all);
  void forget_idle(const std::vector<TransitionKey>& idle, std::size_t groups);

  TransitionMaps maps_;
  TransitionPrograms programs_;
  // The kernel's counters only grow, so that no count falls between a look and a reset: those of the look before.
  std::map<TransitionKey, TransitionSums> groups_;
  std::map<std::uint32_t, NetnsSums> namespaces_;
};

}  // namespace sockdoc
