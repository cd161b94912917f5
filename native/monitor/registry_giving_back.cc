#include <fcntl.h>

#include <algorithm>

#include "abi/unread.h"
#include "monitor/registry.h"

// The part of the registry that knows who may speak in whose name.

namespace sockdoc::monitor {
namespace {

using abi::Reason;

/** What the one wants, the other could be made to do: by a debugger, for instance. */
bool has_power_over(const Identity& one, const Identity& other) {
  return (one.one_user() && one.uid() == 0) || same_user(one, other);
}

/** Nothing is on its way, or waits to be read. The opener's SYN and the ends count as bytes, in some of the counts. */
bool all_was_read(const InetSocket& sender, const InetSocket& reader) {
  return reader.receive_queue == 0 && counts_fit(sender, reader) && counts_fit(reader, sender);
}

Fd copy_of(const Fd& fd) { return Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

}  // namespace

GivingBack Registry::give_back(Process& process, const abi::GiveBack& request, Reason& reason) {
  const auto refused = [&](Reason why) {
    reason = why;
    return GivingBack{};
  };
  const auto held = std::find_if(process.ends.begin(), process.ends.end(),
                                 [&](const EndKey& key) { return key.second == request.cookie; });
  if (held == process.ends.end()) return refused(Reason::no_such_socket);
  if (request.bytes == 0 || request.bytes > abi::kMostUnread) return refused(Reason::bad_message);
  const SocketEnd& end = *ends_.at(*held);
  const SocketEnd* peer = end.connection == nullptr ? nullptr : end.connection->ends[1 - end.side];
  if (peer == nullptr) return refused(Reason::peer_gone);
  const auto theirs = living(*peer);
  if (!theirs) return refused(Reason::proc_unreadable);
  if (theirs->empty()) return refused(Reason::peer_gone);
  if (theirs->size() != 1) return refused(Reason::shared_by_more);
  const Holder& other = *theirs->front();
  for (Process* each : {&process, other.process}) {
    auto identity = read_identity(each->proc.get());
    if (!identity) return refused(Reason::proc_unreadable);
    each->identity = std::move(*identity);
  }
  if (!has_power_over(process.identity, other.process->identity)) return refused(Reason::denied_across_users);
  const auto own = std::find_if(end.holders.begin(), end.holders.end(),
                                [&](const Holder& holder) { return holder.process == &process; });
  const Verified sender = verify_socket(*other.process, other.claim, namespaces_);
  const Verified reader = verify_socket(process, own->claim, namespaces_);
  for (const Verified* verified : {&sender, &reader}) {
    if (!verified->ok()) return refused(verified->reason);
  }
  if (!all_was_read(sender.socket, reader.socket)) return refused(Reason::counters_differ);
  GivingBack job;
  job.asking = process.serial;
  job.sequence = request.header.sequence;
  job.uid = process.identity.uid();
  job.asker = copy_of(process.pidfd);
  job.memory = request.memory;
  job.reader = request.cookie;
  job.sender = copy_of(other.process->pidfd);
  job.sender_proc = copy_of(other.process->proc);
  job.socket = other.claim.fd;
  job.inode = other.claim.inode;
  job.cookie = peer->cookie;
  if (!job.asker.valid() || !job.sender.valid() || !job.sender_proc.valid()) return refused(Reason::no_descriptors);
  job.bytes = request.bytes;
  return job;
}

}  // namespace sockdoc::monitor
