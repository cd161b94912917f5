#include "monitor/registry.h"

#include <algorithm>

#include "abi/slab.h"
#include "monitor/message.h"

namespace sockdoc::monitor {
namespace {

using abi::MessageType;
using abi::Outcome;
using abi::Reason;

bool same_place(const abi::Place& a, const abi::Place& b) {
  return a.connection == b.connection && a.slab == b.slab && a.generation == b.generation && a.slot == b.slot;
}

}  // namespace

Registry::Registry(std::uint64_t instance, Policy policy, Post post)
    : instance_(instance), policy_(std::move(policy)), post_(std::move(post)) {}

Registry::TupleKey Registry::key_of(std::uint64_t netns, const TcpTuple& tuple) {
  return {netns, tuple.interface, tuple.local, tuple.remote, tuple.local_port, tuple.remote_port};
}

Registry::TupleKey Registry::reversed(TupleKey key) {
  std::swap(key.local, key.remote);
  std::swap(key.local_port, key.remote_port);
  return key;
}

SocketEnd* Registry::peer_of(const SocketEnd& end) const {
  const auto found = by_tuple_.find(reversed(key_of(end.netns, end.tuple)));
  return found == by_tuple_.end() || found->second == &end ? nullptr : found->second;
}

/** Whether some other namespace has what looks like the peer. */
bool Registry::elsewhere(const SocketEnd& end) const {
  if (is_loopback(end.tuple.local)) return false;
  const TupleKey wanted = reversed(key_of(0, end.tuple));
  return std::any_of(by_tuple_.begin(), by_tuple_.end(), [&](const auto& entry) {
    TupleKey key = entry.first;
    if (key.netns == end.netns) return false;
    key.netns = 0;
    return key == wanted;
  });
}

/** Looks at a socket again that was verified when it asked: it may have been closed, or handed on. */
Reason Registry::still_there(SocketEnd& end, const InetSocket& other) {
  for (const Holder& holder : end.holders) {
    const Verified now = verify(*holder.process, holder.claim, namespaces_);
    if (!now.ok()) return now.reason;
    if (now.netns != end.netns) return Reason::other_namespace;
    if (!counts_fit(other, now.socket)) return Reason::counters_differ;
  }
  return end.holders.empty() ? Reason::peer_gone : Reason::none;
}

/**
 * The holders of an end that are there, as they are now. One that has just ended, an errand mostly, is no reason to
 * take the connection from the others: it will be forgotten. Nothing: who one of them is cannot be read.
 */
std::optional<std::vector<const Holder*>> Registry::living(const SocketEnd& end) {
  std::vector<const Holder*> found;
  for (const Holder& holder : end.holders) {
    auto identity = read_identity(holder.process->proc.get());
    if (ended(*holder.process)) continue;  // now, so that what was read is not of a zombie
    if (!identity) return std::nullopt;
    holder.process->identity = std::move(*identity);
    found.push_back(&holder);
  }
  return found;
}

/** Every holder of one end with every holder of the other. */
Decision Registry::decide(SocketEnd& a, SocketEnd& b) {
  const auto ones = living(a);
  const auto others = living(b);
  if (!ones || !others) return {false, Reason::proc_unreadable};
  for (const Holder* one : *ones) {
    for (const Holder* other : *others) {
      const Decision decision = policy_.decide({&one->process->identity, a.tuple.local, a.tuple.local_port},
                                               {&other->process->identity, b.tuple.local, b.tuple.local_port});
      if (!decision.allowed) return decision;
    }
  }
  return {true, Reason::none};
}

/** A slab has other connections too: only processes of one user share the end of one. */
bool Registry::may_join(SocketEnd& end) {
  const auto holders = living(end);
  return holders && std::all_of(holders->begin(), holders->end(), [&](const Holder* holder) {
           return same_user(holders->front()->process->identity, holder->process->identity);
         });
}

void Registry::pair(Process& process, const abi::Pair& request) {
  Verified verified;
  SocketEnd* end = admit(process, request.socket, request.header.sequence, verified);
  if (end == nullptr) return;
  if (process.errand && end->connection == nullptr) {
    drop_holder(*end, process);
    return refuse(process, request.socket, request.header.sequence, Reason::peer_gone);
  }
  end->stays = false;
  const Holder holder{&process, request.socket, request.header.sequence};
  if (end->holders.size() > 1 && !may_join(*end)) {
    if (end->connection != nullptr) withdraw(*end->connection, Reason::shared_by_more);
    end->outcome = Outcome::kernel;
    end->reason = Reason::shared_by_more;
    return answer(*end, holder);
  }
  if (end->connection != nullptr) {
    SocketEnd* other = end->connection->ends[1 - end->side];
    const Decision decision = other != nullptr ? decide(*end, *other) : Decision{true, Reason::none};
    if (!decision.allowed) withdraw(*end->connection, decision.reason);
    return answer(*end, holder);
  }
  const bool adopted = (request.socket.flags & abi::kClaimAdopted) != 0;
  end->shared = adopted && other_holders_.has_more(request.socket.inode, process.attached_ns);
  if (end->shared) {
    // Perhaps a child that will end: its process asks again.
    end->outcome = Outcome::waiting;
    end->reason = Reason::shared_by_more;
    return answer(*end, holder);
  }
  SocketEnd* peer = peer_of(*end);
  if (peer == nullptr || peer->connection != nullptr || peer->shared) {
    end->outcome = Outcome::waiting;
    end->reason = elsewhere(*end) ? Reason::other_namespace : Reason::peer_unknown;
    return answer(*end, holder);
  }
  Reason reason = still_there(*peer, verified.socket);
  if (reason != Reason::none && reason != Reason::counters_differ) {
    // Its own holder will ask again if it is still there, and be told then.
    end->outcome = Outcome::waiting;
    end->reason = Reason::peer_gone;
    return answer(*end, holder);
  }
  if (peer->stays) return keep_on_kernel(*end, Reason::peer_refused);
  if (reason == Reason::none) reason = connect(*end, *peer);
  if (reason == Reason::none) {
    answer(*end, holder);
    return answer(*peer);
  }
  keep_on_kernel(*end, reason);
  keep_on_kernel(*peer, reason);
}

Reason Registry::connect(SocketEnd& asking, SocketEnd& waiting) {
  const Decision decision = decide(asking, waiting);
  if (!decision.allowed) {
    ++denied_;
    return decision.reason;
  }
  auto connection = std::make_unique<Connection>();
  const Reason reason = provide(*connection, *asking.holders.front().process, *waiting.holders.front().process);
  if (reason == Reason::none) join(asking, waiting, std::move(connection));
  return reason;
}

void Registry::join(SocketEnd& a, SocketEnd& b, std::unique_ptr<Connection> connection) {
  connection->ends = {&a, &b};
  for (unsigned side = 0; side < 2; ++side) {
    SocketEnd& end = *connection->ends[side];
    end.connection = connection.get();
    end.side = side;
    end.outcome = Outcome::shared;
    end.reason = Reason::none;
  }
  ++connection->slab->live;
  const Connection* key = connection.get();
  connections_[key] = std::move(connection);
}

void Registry::restore(Process& process, const abi::Restore& request) {
  Verified verified;
  SocketEnd* end = admit(process, request.socket, request.header.sequence, verified);
  if (end == nullptr) return;
  const Holder holder{&process, request.socket, request.header.sequence};
  const abi::Place& place = request.place;
  if (end->connection != nullptr) {
    const bool same = same_place(place, end->connection->place) && place.end == end->side;
    if (!same)
      withdraw(*end->connection, Reason::inconsistent);
    else
      end->connection->slab->told.insert(process.serial);  // it has it, or it would not know the place
    return answer(*end, holder);
  }
  end->restored = place;
  SocketEnd* peer = peer_of(*end);
  if (peer == nullptr || peer->restored.connection == 0 || peer->connection != nullptr) {
    end->outcome = Outcome::waiting;
    end->reason = Reason::peer_unknown;
    return answer(*end, holder);
  }
  const bool fits = place.end < 2 && peer->restored.end == 1 - place.end && same_place(place, peer->restored) &&
                    place.connection != 0 && abi::valid_geometry(place.slots, place.ring_bytes);
  const Decision decision = fits ? decide(*end, *peer) : Decision{false, Reason::inconsistent};
  if (!decision.allowed) {
    if (fits) ++denied_;
    keep_on_kernel(*end, decision.reason);
    return keep_on_kernel(*peer, decision.reason);
  }
  auto connection = std::make_unique<Connection>();
  connection->place = place;
  connection->slab = restored_slab(place, process, *peer->holders.front().process);
  join(place.end == 0 ? *end : *peer, place.end == 0 ? *peer : *end, std::move(connection));
  answer(*end, holder);
  answer(*peer);
}

void Registry::keep(Process& process, const abi::Keep& request) {
  Verified verified;
  SocketEnd* end = admit(process, request.socket, request.header.sequence, verified);
  if (end == nullptr) return;
  const bool known = request.reason > Reason::none && request.reason < Reason::count_;
  end->stays = true;
  if (end->connection != nullptr) return withdraw(*end->connection, known ? request.reason : Reason::other);
  end->outcome = Outcome::kernel;
  end->reason = known ? request.reason : Reason::other;
  SocketEnd* peer = peer_of(*end);
  if (peer != nullptr && peer->outcome == Outcome::waiting) keep_on_kernel(*peer, Reason::peer_refused);
}

void Registry::keep_on_kernel(SocketEnd& end, Reason reason) {
  end.outcome = Outcome::kernel;
  end.reason = reason;
  answer(end);
}

void Registry::withdraw(Connection& connection, Reason reason) {
  for (SocketEnd* end : connection.ends) {
    if (end == nullptr || end->outcome == Outcome::kernel) continue;
    end->outcome = Outcome::kernel;
    end->reason = reason;
    for (const Holder& holder : end->holders) {
      auto message = message_of<abi::Withdrawn>(MessageType::withdrawn, 0);
      message.cookie = end->cookie;
      message.connection = connection.place.connection;
      message.reason = reason;
      post_(*holder.process, &message, sizeof message, -1);
    }
  }
}

void Registry::answer(SocketEnd& end) {
  const auto holders = end.holders;
  for (const Holder& holder : holders) answer(end, holder);
}

void Registry::answer(SocketEnd& end, const Holder& holder) {
  auto message = message_of<abi::Answer>(MessageType::answer, holder.sequence);
  message.outcome = end.outcome;
  message.reason = end.reason;
  message.cookie = end.cookie;
  int memory = -1;
  if (end.outcome == Outcome::shared) {
    message.place = end.connection->place;
    message.place.end = end.side;
    Slab& slab = *end.connection->slab;
    if (slab.told.insert(holder.process->serial).second) memory = slab.memory();
    message.has_memory = memory >= 0 ? 1 : 0;
  }
  post_(*holder.process, &message, sizeof message, memory);
}

void Registry::refuse(Process& process, const abi::SocketClaim& claim, std::uint64_t sequence, Reason reason) {
  auto message = message_of<abi::Answer>(MessageType::answer, sequence);
  message.outcome = Outcome::kernel;
  message.reason = reason;
  message.cookie = claim.cookie;
  post_(process, &message, sizeof message, -1);
}

void Registry::report(Process& process, const abi::Report& request) {
  for (const EndKey& key : process.ends) {
    if (key.second != request.cookie) continue;
    SocketEnd& end = *ends_.at(key);
    const Reason before = std::exchange(end.reported, request.carrier == 0 ? request.reason : Reason::none);
    if (end.reported == Reason::reset && before != Reason::reset) ++resets_;
    return;
  }
}

void Registry::set_policy(Policy policy) {
  policy_ = std::move(policy);
  for (auto& [key, connection] : connections_) {
    if (connection->ends[0] == nullptr || connection->ends[1] == nullptr) continue;
    const Decision decision = decide(*connection->ends[0], *connection->ends[1]);
    if (decision.allowed) continue;
    ++denied_;
    withdraw(*connection, decision.reason);
  }
}

}  // namespace sockdoc::monitor
