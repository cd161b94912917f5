#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi/messages.h"
#include "monitor/identity.h"
#include "probes/sockets/socket_address.h"

namespace sockdoc::monitor {

/** One end of a connection as rules look at it. */
struct PolicyEnd {
  const Identity* identity = nullptr;
  Address address{};  // its own
  std::uint16_t port = 0;
};

enum class Verdict { allow, deny };

template <typename T>
using Ranges = std::vector<std::pair<T, T>>;

struct Subnet {
  Address address{};
  unsigned bits = 0;  // of the 128
};

/** What a rule asks of one end: all that is not empty must be met. */
struct EndRule {
  Ranges<std::uint32_t> uids;
  Ranges<std::uint32_t> gids;
  Ranges<std::uint32_t> ports;
  std::vector<std::string> cgroups;
  std::vector<std::string> executables;
  std::vector<Subnet> addresses;

  /** `strict`: an executable counts only when its path is the same file for the monitor, as for what is allowed. */
  [[nodiscard]] bool met_by(const PolicyEnd& end, bool strict) const;
};

struct Rule {
  Verdict verdict = Verdict::deny;
  EndRule one;
  std::optional<EndRule> other;  // `with …`: the ends must meet one each, whichever way round
  bool same_user = false;
  int line = 0;

  [[nodiscard]] bool met_by(const PolicyEnd& a, const PolicyEnd& b) const;
};

struct Limits {
  std::uint64_t slabs = 1024;                     // per process
  std::uint64_t bytes = std::uint64_t{64} << 30;  // of address space reserved in slabs, per process
  std::uint64_t connections = 65536;              // per process
  std::uint64_t requests = 2000;                  // per second and process, on average
  std::uint64_t ring = 256u << 10;                // bytes of a ring
};

struct Decision {
  bool allowed = false;
  abi::Reason reason = abi::Reason::none;
};

/** Rules in order, the first that is met decides; where none is, one user's processes may and others may not. */
struct Policy {
  std::string path;  // empty: the built-in one
  std::vector<Rule> rules;
  Limits limits;

  [[nodiscard]] Decision decide(const PolicyEnd& a, const PolicyEnd& b) const;
};

}  // namespace sockdoc::monitor
