#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "abi/messages.h"
#include "base/json.h"
#include "monitor/giving_back.h"
#include "monitor/other_holders.h"
#include "monitor/policy.h"
#include "monitor/process.h"
#include "monitor/slab.h"
#include "monitor/verify.h"

namespace sockdoc::monitor {

/** A process that holds a socket, by which descriptor, and the request that is to be answered when its peer comes. */
struct Holder {
  Process* process = nullptr;
  abi::SocketClaim claim;
  std::uint64_t sequence = 0;
};

struct Connection;

/** One socket that somebody asked about. Its name is (namespace, cookie), which no other socket ever has. */
struct SocketEnd {
  std::uint64_t netns = 0;
  std::uint64_t cookie = 0;
  TcpTuple tuple;
  std::vector<Holder> holders;
  Connection* connection = nullptr;
  unsigned side = 0;
  abi::Outcome outcome = abi::Outcome::waiting;
  abi::Reason reason = abi::Reason::peer_unknown;
  abi::Place restored{};                     // where a process said that it goes, before its peer said so too
  bool stays = false;                        // its process said so, without asking
  bool shared = false;                       // it is older than libsd, and a process without libsd has it too
  abi::Reason reported = abi::Reason::none;  // why libsd has it on the kernel at the moment
};

/** Two ends and their memory. The slot is theirs until both have ended. */
struct Connection {
  abi::Place place{};
  std::array<SocketEnd*, 2> ends{};
  std::shared_ptr<Slab> slab;
};

/**
 * The books: which process holds which socket, which sockets are the two ends of a connection, and what memory they
 * have. Knows nothing of how messages travel. One thread.
 */
class Registry {
 public:
  /** Hands a message to a process, with a descriptor or −1. The bytes and the descriptor live until it returns. */
  using Post = std::function<void(Process&, const void* message, std::size_t bytes, int fd)>;

  Registry(std::uint64_t instance, Policy policy, Post post);

  /** The process that says this of itself, new or known. */
  [[nodiscard]] Result<Process*> enrol(int pid, int own_pid, std::uint64_t start_ticks);
  /** The same on an errand: always new, and no client. */
  [[nodiscard]] Result<Process*> enrol_errand(int pid, int own_pid, std::uint64_t start_ticks);
  [[nodiscard]] Process* find(int pid) const;
  /** Its libsd leaves it: its connections are the kernel's, and it holds no memory. It stays known. */
  void leave(Process& process);
  /** It has ended, or its errand: everything that is only its is forgotten. */
  void forget(Process& process);

  void pair(Process& process, const abi::Pair& request);
  void restore(Process& process, const abi::Restore& request);
  void keep(Process& process, const abi::Keep& request);
  void release(Process& process, std::uint64_t cookie);
  void report(Process& process, const abi::Report& request);
  /** Both processes of the slab get a doorbell, unless they have one; nothing where that cannot be. */
  void want_doorbell(Process& process, const abi::WantDoorbell& request);
  /**
   * What is to be done so that these bytes come to the process from its peer. Only from him who has the other end of
   * the process's own connection, only behind all that he has sent, and only where the process could make him send what
   * it wants: it is root's, or of the same user. `reason`: why not, where `job.bytes` is 0.
   */
  [[nodiscard]] GivingBack give_back(Process& process, const abi::GiveBack& request, abi::Reason& reason);
  /** The process with this serial, or null. */
  [[nodiscard]] Process* by_serial(std::uint64_t serial) const;

  /** From now on this decides. What it does not allow any more is withdrawn. */
  void set_policy(Policy policy);
  [[nodiscard]] const Policy& policy() const { return policy_; }

  /** Members of the status document: what `viewer` may see (uid 0 and the monitor's own user: all). */
  void write_status(Json& json, uid_t viewer) const;

 private:
  using EndKey = std::pair<std::uint64_t, std::uint64_t>;
  struct TupleKey {
    std::uint64_t netns;
    std::uint32_t interface;
    Address local, remote;
    std::uint16_t local_port, remote_port;
    auto operator<=>(const TupleKey&) const = default;
  };
  static TupleKey key_of(std::uint64_t netns, const TcpTuple& tuple);
  static TupleKey reversed(TupleKey key);

  /** The end that a claim means, with the process among its holders; null after the reason has been answered. */
  SocketEnd* admit(Process& process, const abi::SocketClaim& claim, std::uint64_t sequence, Verified& verified);
  [[nodiscard]] SocketEnd* peer_of(const SocketEnd& end) const;
  [[nodiscard]] bool elsewhere(const SocketEnd& end) const;
  [[nodiscard]] abi::Reason still_there(SocketEnd& end, const InetSocket& other);
  [[nodiscard]] static std::optional<std::vector<const Holder*>> living(const SocketEnd& end);
  [[nodiscard]] Decision decide(SocketEnd& a, SocketEnd& b);
  [[nodiscard]] bool may_join(SocketEnd& end);

  abi::Reason connect(SocketEnd& asking, SocketEnd& waiting);
  [[nodiscard]] abi::Reason provide(Connection& connection, Process& a, Process& b);
  void join(SocketEnd& a, SocketEnd& b, std::unique_ptr<Connection> connection);
  void keep_on_kernel(SocketEnd& end, abi::Reason reason);
  void withdraw(Connection& connection, abi::Reason reason);
  void answer(SocketEnd& end);
  void answer(SocketEnd& end, const Holder& holder);
  void refuse(Process& process, const abi::SocketClaim& claim, std::uint64_t sequence, abi::Reason reason);
  void sweep(Process& process, bool waiting_too);
  void drop_holder(SocketEnd& end, const Process& process);
  void end_gone(SocketEnd& end);
  void leave_slabs(Process& process);
  void drop_slab(Slab& slab);
  [[nodiscard]] std::shared_ptr<Slab> restored_slab(const abi::Place& place, const Process& a, const Process& b);
  [[nodiscard]] std::uint64_t next_id() { return instance_ << 32 | ++ids_; }
  void write_kept(Json& json, const std::function<bool(const Process&)>& visible) const;
  void write_ends(Json& json, const std::function<bool(const Process&)>& visible) const;

  std::uint64_t instance_;
  std::uint64_t ids_ = 0;
  Policy policy_;
  Post post_;
  Namespaces namespaces_;
  OtherHolders other_holders_;
  std::uint64_t denied_ = 0;
  std::uint64_t resets_ = 0;
  std::unordered_map<int, std::unique_ptr<Process>> by_pid_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Process>> errands_;  // by serial
  std::map<std::uint64_t, Process*> by_serial_;
  std::map<EndKey, std::unique_ptr<SocketEnd>> ends_;
  std::map<TupleKey, SocketEnd*> by_tuple_;
  std::map<const Connection*, std::unique_ptr<Connection>> connections_;
  std::multimap<std::uint64_t, std::shared_ptr<Slab>> slabs_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::shared_ptr<Slab>>> slabs_of_pair_;
};

}  // namespace sockdoc::monitor
