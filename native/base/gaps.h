#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace sockdoc {

/** Something a probe could not read (`Gap` in src/model/gap.ts). */
struct Gap {
  std::string probe;
  std::string what;
  std::string reason;
  std::string needs;  // empty: nothing would help
  std::uint64_t count = 1;
};

/**
 * Collects gaps; alike ones (same probe, what, reason) are counted, not repeated. Where this thread has the
 * capabilities that `needs` names, the gap says so instead: nobody is told to become what he is.
 */
class Gaps {
 public:
  void add(Gap gap);
  /** From an errno: EPERM and EACCES say that `needs` would help. */
  void add_errno(std::string probe, std::string what, int code, std::string needs);
  [[nodiscard]] const std::vector<Gap>& all() const { return gaps_; }
  /** Writes the array of gaps as a value. */
  void write(Json& json) const;

 private:
  std::vector<Gap> gaps_;
};

}  // namespace sockdoc
