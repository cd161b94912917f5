#include "probes/events/transition_program.h"

#include <linux/btf.h>

#include <cstddef>
#include <optional>

#include "probes/bpf/assembler.h"
#include "probes/bpf/kernel.h"
#include "probes/events/ended.h"
#include "probes/sockets/sock_diag.h"

namespace sockdoc {
namespace {

using bpf::Alu;
using bpf::Assembler;
using bpf::If;
using bpf::Reg;
using bpf::Size;

constexpr const char* kTracepoint = "inet_sock_set_state";
constexpr std::uint32_t kMaxRecords = 65'536;  // 6 MiB of the kernel's memory
constexpr std::uint32_t kMaxGroups = 16'384;   // 2 MiB
constexpr std::uint32_t kMaxNamespaces = 4096;
constexpr std::uint32_t kMaxListeners = 16'384;

/** Where this kernel has what the program reads; bytes from the beginning of the struct. */
struct Offsets {
  int net, cookie, flags, remote_port, local_number;  // struct sock
  int inum;                                           // struct net
  int local_port, bytes_sent, bytes_received;         // struct tcp_sock
  int group_leader, comm;                             // struct task_struct
};

std::optional<Offsets> offsets_of(const Btf& btf) {
  bool all = true;
  const auto at = [&](const char* type, const char* path) {
    const auto member = btf.member(type, path);
    all &= member.has_value();
    return member ? static_cast<int>(member->offset) : 0;
  };
  const Offsets offsets{at("sock", "__sk_common.skc_net"),
                        at("sock", "__sk_common.skc_cookie"),
                        at("sock", "__sk_common.skc_flags"),
                        at("sock", "__sk_common.skc_dport"),
                        at("sock", "__sk_common.skc_num"),
                        at("net", "ns.inum"),
                        at("tcp_sock", "inet_conn.icsk_inet.inet_sport"),
                        at("tcp_sock", "bytes_sent"),
                        at("tcp_sock", "bytes_received"),
                        at("task_struct", "group_leader"),
                        at("task_struct", "comm")};
  return all ? std::optional(offsets) : std::nullopt;
}

#define MEMBER(type, member) static_cast<int>(offsetof(type, member))

// The stack, as offsets from r10.
constexpr int kSocket = -8;  // key of `records`
constexpr int kRecord = kSocket - static_cast<int>(sizeof(ConnectionRecord));
constexpr int kProcess = kRecord + MEMBER(ConnectionRecord, process);
constexpr int kNetns = kRecord - 8;  // key of `namespaces`
constexpr int kListener = kNetns - static_cast<int>(sizeof(ListenerKey));
constexpr int kKey = kListener - static_cast<int>(sizeof(TransitionKey));
constexpr int kGroup = kKey - static_cast<int>(sizeof(TransitionGroup));

constexpr int kUnknown = static_cast<int>(Side::kUnknown);
constexpr int kConnecting = static_cast<int>(Side::kConnecting);
constexpr int kAccepting = static_cast<int>(Side::kAccepting);

// States whose end is the end of a connection.
constexpr int kConnected =
    1 << kEstablished | 1 << kFinWait1 | 1 << kFinWait2 | 1 << kCloseWait | 1 << kLastAck | 1 << kClosing;
constexpr int kSockDone = 1;  // bit of enum sock_flags: a FIN was received

enum class Role { kFirst, kSecond };

/**
 * Registers: r6 the socket (trusted pointer of the tracepoint), r7 the value of its namespace, r8 and r9 the old and
 * the new state; at the end of a connection r8 is its record or 0 and r9 the tcp_sock, at the counting r7 the counters.
 */
class Writer {
 public:
  Writer(const TransitionMaps& maps, const Offsets& offsets, Role role) : maps_(maps), at_(offsets), role_(role) {}

  Assembler write() {
    choose();
    begin();
    end_of_connection();
    a_.bind(done_);
    a_.move(Reg::r0, 0);
    a_.exit();
    return std::move(a_);
  }

 private:
  /** Leaves at once what is of no interest: most changes, and other namespaces. */
  void choose() {
    const auto interesting = a_.label();
    a_.load(Size::u64, Reg::r6, Reg::r1, 0);
    a_.load(Size::u64, Reg::r8, Reg::r1, 8);
    a_.load(Size::u64, Reg::r9, Reg::r1, 16);
    a_.jump_if(If::equal, Reg::r9, kClose, interesting);
    if (role_ == Role::kFirst) {
      for (const int state : {kSynSent, kFinWait1, kLastAck, kListen}) {
        a_.jump_if(If::equal, Reg::r9, state, interesting);
      }
    }
    a_.jump_if(If::not_equal, Reg::r8, kSynReceived, done_);
    a_.bind(interesting);
    a_.load(Size::u64, Reg::r1, Reg::r6, at_.net);
    a_.load(Size::u32, Reg::r1, Reg::r1, at_.inum);
    a_.store(Size::u32, Reg::r10, kNetns, Reg::r1);
    a_.lookup(maps_.namespaces, kNetns);
    a_.jump_if(If::equal, Reg::r0, 0, done_);
    a_.move(Reg::r7, Reg::r0);
    a_.store(Size::u64, Reg::r10, kSocket, Reg::r6);
    a_.jump_if(If::equal, Reg::r9, kClose, closed_);
  }

  void begin() {
    if (role_ == Role::kFirst) begin_in_process();
    // Both ends may connect at once; then there is a record.
    a_.lookup(maps_.records, kSocket);
    a_.jump_if(If::not_equal, Reg::r0, 0, done_);
    put_nobody();
    put_side(kAccepting);
    a_.update(maps_.records, kSocket, kRecord, BPF_NOEXIST);
    a_.jump(done_);
  }

  /** Leaves for SYN_RECV → … to what follows. */
  void begin_in_process() {
    const auto listening = a_.label();
    const auto connecting = a_.label();
    const auto accepting = a_.label();
    a_.jump_if(If::equal, Reg::r9, kListen, listening);
    a_.jump_if(If::equal, Reg::r9, kSynSent, connecting);
    a_.jump_if(If::equal, Reg::r8, kSynReceived, accepting);
    // The process lets go of it.
    a_.lookup(maps_.records, kSocket);
    a_.jump_if(If::not_equal, Reg::r0, 0, done_);
    put_process();
    put_side(kUnknown);
    a_.update(maps_.records, kSocket, kRecord, BPF_ANY);
    a_.jump(done_);

    a_.bind(connecting);
    put_process();
    put_side(kConnecting);
    a_.update(maps_.records, kSocket, kRecord, BPF_ANY);
    a_.jump(done_);

    a_.bind(listening);
    put_process();
    a_.load(Size::u16, Reg::r1, Reg::r6, at_.local_number);
    put_listener_key();
    a_.update(maps_.listeners, kListener, kProcess, BPF_ANY);
    a_.jump(done_);
    a_.bind(accepting);
  }

  /** The process, not the thread: its id, and the name of its first thread. */
  void put_process() {
    a_.call(BPF_FUNC_get_current_pid_tgid);
    a_.alu(Alu::shift_right, Reg::r0, 32);
    a_.store(Size::u32, Reg::r10, kProcess + MEMBER(TracedProcess, pid), Reg::r0);
    a_.call(BPF_FUNC_get_current_task_btf);
    a_.load(Size::u64, Reg::r1, Reg::r0, at_.group_leader);
    for (const int part : {0, 8}) {
      a_.load(Size::u64, Reg::r2, Reg::r1, at_.comm + part);
      a_.store(Size::u64, Reg::r10, kProcess + MEMBER(TracedProcess, comm) + part, Reg::r2);
    }
  }

  void put_side(int side) { a_.store(Size::u32, Reg::r10, kRecord + MEMBER(ConnectionRecord, side), side); }

  /** From the port in r1. */
  void put_listener_key() {
    a_.store(Size::u16, Reg::r10, kListener + MEMBER(ListenerKey, port), Reg::r1);
    a_.load(Size::u32, Reg::r1, Reg::r10, kNetns);
    a_.store(Size::u32, Reg::r10, kListener + MEMBER(ListenerKey, netns), Reg::r1);
    a_.store(Size::u16, Reg::r10, kListener + MEMBER(ListenerKey, padding), 0);
  }

  void put_nobody() {
    a_.store(Size::u32, Reg::r10, kProcess + MEMBER(TracedProcess, pid), 0);
    for (const int part : {0, 8}) a_.store(Size::u64, Reg::r10, kProcess + MEMBER(TracedProcess, comm) + part, 0);
  }

  void end_of_connection() {
    const auto ended = a_.label();
    a_.bind(closed_);
    if (role_ == Role::kSecond) {
      a_.lookup(maps_.records, kSocket);
      a_.jump_if(If::equal, Reg::r0, 0, done_);
    }
    a_.move(Reg::r1, 1);
    a_.alu(Alu::shift_left, Reg::r1, Reg::r8);
    a_.jump_if(If::any_bit, Reg::r1, kConnected, ended);
    a_.jump_if(If::not_equal, Reg::r8, kSynSent, done_);
    a_.move(Reg::r1, 1);
    a_.atomic_add(Size::u64, Reg::r7, MEMBER(NetnsSums, failed), Reg::r1);
    a_.remove(maps_.records, kSocket);
    a_.jump(done_);

    a_.bind(ended);
    // The tracepoint is passed by DCCP, SCTP and MPTCP too: nothing for those.
    a_.move(Reg::r1, Reg::r6);
    a_.call(BPF_FUNC_skc_to_tcp_sock);
    a_.jump_if(If::equal, Reg::r0, 0, done_);
    a_.move(Reg::r9, Reg::r0);
    a_.lookup(maps_.records, kSocket);
    a_.move(Reg::r8, Reg::r0);
    put_key();
    find_group();
    count();
    a_.jump_if(If::equal, Reg::r8, 0, done_);
    a_.remove(maps_.records, kSocket);
  }

  void put_key() {
    const auto accepting = a_.label();
    const auto connecting = a_.label();
    const auto unknown = a_.label();
    const auto ready = a_.label();
    a_.load(Size::u32, Reg::r1, Reg::r10, kNetns);
    a_.store(Size::u32, Reg::r10, kKey + MEMBER(TransitionKey, netns), Reg::r1);
    a_.store(Size::u32, Reg::r10, kKey + MEMBER(TransitionKey, pid), 0);
    a_.store(Size::u32, Reg::r10, kKey + MEMBER(TransitionKey, padding), 0);
    a_.jump_if(If::equal, Reg::r8, 0, unknown);
    a_.load(Size::u32, Reg::r1, Reg::r8, MEMBER(ConnectionRecord, side));
    a_.jump_if(If::equal, Reg::r1, kAccepting, accepting);
    a_.load(Size::u32, Reg::r2, Reg::r8, MEMBER(ConnectionRecord, process.pid));
    a_.store(Size::u32, Reg::r10, kKey + MEMBER(TransitionKey, pid), Reg::r2);
    a_.jump_if(If::equal, Reg::r1, kConnecting, connecting);

    a_.bind(unknown);
    load_local_port();
    put_listener_key();
    a_.lookup(maps_.listeners, kListener);
    a_.jump_if(If::equal, Reg::r0, 0, connecting);
    // Its port tells of whom it is; who closed it may be any heir.
    a_.store(Size::u32, Reg::r10, kKey + MEMBER(TransitionKey, pid), 0);

    a_.bind(accepting);
    load_local_port();
    a_.store(Size::u16, Reg::r10, kKey + MEMBER(TransitionKey, side), kAccepting);
    a_.jump(ready);

    a_.bind(connecting);
    a_.load(Size::u16, Reg::r1, Reg::r6, at_.remote_port);
    a_.from_network(Reg::r1, 16);
    a_.store(Size::u16, Reg::r10, kKey + MEMBER(TransitionKey, side), kConnecting);
    a_.bind(ready);
    a_.store(Size::u16, Reg::r10, kKey + MEMBER(TransitionKey, port), Reg::r1);
  }

  void load_local_port() {
    a_.load(Size::u16, Reg::r1, Reg::r9, at_.local_port);
    a_.from_network(Reg::r1, 16);
  }

  /** r7 = the counters of the key, those of the rest where there is no room. */
  void find_group() {
    const auto found = a_.label();
    const auto nameless = a_.label();
    a_.lookup(maps_.ended, kKey);
    a_.jump_if(If::not_equal, Reg::r0, 0, found);
    for (std::size_t at = 0; at < sizeof(TransitionGroup); at += 8) {
      a_.store(Size::u64, Reg::r10, kGroup + static_cast<int>(at), 0);
    }
    a_.jump_if(If::equal, Reg::r8, 0, nameless);
    for (const int part : {0, 8}) {
      a_.load(Size::u64, Reg::r1, Reg::r8, MEMBER(ConnectionRecord, process.comm) + part);
      a_.store(Size::u64, Reg::r10, kGroup + MEMBER(TransitionGroup, comm) + part, Reg::r1);
    }
    a_.bind(nameless);
    a_.update(maps_.ended, kKey, kGroup, BPF_NOEXIST);
    // Another CPU may have been first.
    a_.lookup(maps_.ended, kKey);
    a_.jump_if(If::not_equal, Reg::r0, 0, found);
    a_.move(Reg::r0, Reg::r7);
    a_.bind(found);
    a_.move(Reg::r7, Reg::r0);
  }

  void count() {
    const auto no_data = a_.label();
    const auto seen = a_.label();
    a_.move(Reg::r1, 1);
    a_.atomic_add(Size::u64, Reg::r7, MEMBER(TransitionSums, count), Reg::r1);
    a_.load(Size::u64, Reg::r1, Reg::r9, at_.bytes_sent);
    a_.atomic_add(Size::u64, Reg::r7, MEMBER(TransitionSums, sent), Reg::r1);
    a_.load(Size::u64, Reg::r1, Reg::r9, at_.bytes_received);
    a_.jump_if(If::equal, Reg::r1, 0, no_data);
    // The kernel counts a FIN as a byte.
    a_.load(Size::u64, Reg::r2, Reg::r6, at_.flags);
    a_.alu(Alu::shift_right, Reg::r2, kSockDone);
    a_.alu(Alu::bit_and, Reg::r2, 1);
    a_.alu(Alu::sub, Reg::r1, Reg::r2);
    a_.atomic_add(Size::u64, Reg::r7, MEMBER(TransitionSums, received), Reg::r1);
    a_.bind(no_data);
    a_.load(Size::u64, Reg::r1, Reg::r6, at_.cookie);
    a_.jump_if(If::not_equal, Reg::r1, 0, seen);
    a_.move(Reg::r1, 1);
    a_.atomic_add(Size::u64, Reg::r7, MEMBER(TransitionSums, unseen), Reg::r1);
    a_.bind(seen);
  }

  const TransitionMaps& maps_;
  const Offsets at_;
  const Role role_;
  Assembler a_;
  const Assembler::Label done_ = a_.label();
  const Assembler::Label closed_ = a_.label();
};

#undef MEMBER

bpf::MapSpec hash(std::uint32_t key, std::uint32_t value, std::uint32_t entries, const char* name) {
  return {.type = BPF_MAP_TYPE_HASH, .key_bytes = key, .value_bytes = value, .max_entries = entries, .name = name};
}

}  // namespace

Result<TransitionMaps> TransitionMaps::create() {
  auto record_spec = hash(sizeof(std::uint64_t), sizeof(ConnectionRecord), kMaxRecords, "sockdoc_conns");
  record_spec.type = BPF_MAP_TYPE_LRU_HASH;
  auto records = bpf::Map::create(record_spec);
  if (!records) return records.error();
  auto ended = bpf::Map::create(hash(sizeof(TransitionKey), sizeof(TransitionGroup), kMaxGroups, "sockdoc_ended"));
  if (!ended) return ended.error();
  auto namespaces = bpf::Map::create(hash(sizeof(std::uint32_t), sizeof(NetnsSums), kMaxNamespaces, "sockdoc_netns"));
  if (!namespaces) return namespaces.error();
  auto listener_spec = hash(sizeof(ListenerKey), sizeof(TracedProcess), kMaxListeners, "sockdoc_listen");
  listener_spec.type = BPF_MAP_TYPE_LRU_HASH;
  auto listeners = bpf::Map::create(listener_spec);
  if (!listeners) return listeners.error();
  return TransitionMaps{std::move(*records), std::move(*ended), std::move(*namespaces), std::move(*listeners)};
}

Result<TransitionPrograms> TransitionPrograms::attach(const TransitionMaps& maps) {
  const auto btf = kernel_btf();
  if (!btf) return btf.error();
  const auto offsets = offsets_of(**btf);
  const auto tracepoint = (*btf)->id("btf_trace_inet_sock_set_state", BTF_KIND_TYPEDEF);
  if (!offsets || !tracepoint) return Error{EOPNOTSUPP, kTracepoint};
  bpf::ProgramSpec spec{.name = "sockdoc_ended",
                        .license = bpf::kGplCompatible,
                        .type = BPF_PROG_TYPE_TRACING,
                        .attach_type = BPF_TRACE_RAW_TP,
                        .attach_btf_id = *tracepoint};
  auto first = bpf::Attached::attach(spec, Writer(maps, *offsets, Role::kFirst).write(), kTracepoint);
  if (!first) return first.error();
  spec.name = "sockdoc_missed";
  // Programs of one tracepoint run in the order in which they were attached.
  auto second = bpf::Attached::attach(spec, Writer(maps, *offsets, Role::kSecond).write(), kTracepoint);
  if (!second) return second.error();
  return TransitionPrograms{std::move(*first), std::move(*second)};
}

}  // namespace sockdoc
