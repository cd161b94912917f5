#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/gaps.h"
#include "probes/drops/drop_program.h"

namespace sockdoc {

/**
 * Counts dropped packets of the whole host by reason and place between start() and stop(). Both answer with JSON:
 * start() {"gaps":[…]}, stop() {"drops":[{"reason","place"?,"count"},…],"gaps":[…]} (`DropCount` of
 * src/model/snapshot/host.ts, most first); without `drops` when they could not be counted, for which start() gave the
 * gap. The probe's end detaches. Calls may come from any thread, one runs at a time.
 */
class DropProbe {
 public:
  std::string start();
  std::string stop();

 private:
  Status attach();

  std::mutex mutex_;
  std::optional<DropProgram> program_;
  // What the kernel's type information said.
  std::optional<DropArguments> arguments_;
  std::map<std::int64_t, std::string> reasons_;
};

}  // namespace sockdoc
