#pragma once

#include <cstddef>
#include <cstdint>

/**
 * What libsd, the sockdoc command and sockdoc-monitor say to each other over the monitor's UNIX stream socket.
 * docs/protocol/monitor.md says it in prose. Every message begins with a Header whose length tells where the next one
 * begins; all numbers are as the machine has them, since both ends are on it. Fields named reserved are zero.
 */
namespace sockdoc::abi {

/** The header and Refused stay as they are in every version, so that two that differ can say so. */
inline constexpr std::uint16_t kMonitorVersion = 2;

/** A longer message ends the connection. Only Text is longer than its structure. */
inline constexpr std::uint32_t kMaxRequestBytes = 512;

/** 6, 67 and 68 meant something once: they are not given out again. */
enum class MessageType : std::uint16_t {
  hello = 1,
  pair = 2,
  restore = 3,
  release = 4,
  report = 5,
  status = 7,
  stop = 8,
  reload = 9,
  keep = 10,
  leave = 11,
  give_back = 12,
  want_doorbell = 13,

  refused = 64,
  welcome = 65,
  answer = 66,
  withdrawn = 69,
  peer_gone = 70,
  done = 71,
  text = 72,
  doorbell = 73,
};

struct Header {
  std::uint32_t length;  // of the whole message
  std::uint16_t version;
  MessageType type;
  std::uint64_t sequence;  // of the request; its answer repeats it, also one that comes later
};

/** Why something is not so. Names for people: abi/reasons.h. New ones are added at the end. */
enum class Reason : std::uint32_t {
  none = 0,
  // What a client got wrong
  bad_message,
  other_version,
  other_memory_version,
  not_registered,
  other_process,
  process_changed,
  not_visible,
  // What the monitor found when it looked at a descriptor
  proc_unreadable,
  not_this_descriptor,
  no_such_socket,
  other_cookie,
  other_inode,
  not_established,
  connected_to_itself,
  namespace_unreadable,
  counters_differ,
  // Between two ends
  peer_unknown,
  peer_gone,
  peer_refused,
  other_namespace,
  shared_by_more,
  // What was decided
  denied_across_users,
  denied_by_policy,
  quota_connections,
  quota_slabs,
  quota_bytes,
  no_memory,
  no_descriptors,
  not_permitted,
  // What libsd reports
  idle,
  short_lived,
  urgent_data,
  io_uring,
  upper_protocol,
  passed_on,
  executed,
  inconsistent,
  switched_off,
  other,
  socket_option,
  asynchronous,
  broken_peer,
  spliced,
  set_waited_for,
  set_shared,
  interest_unclear,
  reset,
  count_,
};

/** IPv4 addresses are mapped (::ffff:a.b.c.d). */
struct Endpoint {
  std::uint8_t address[16];
  std::uint32_t port;
  std::uint32_t reserved;
};

/** In Hello: what the monitor knows of this process's sockets was true of a libsd that has left it since. */
inline constexpr std::uint64_t kHelloAnew = 1;
/**
 * A link of its own for one errand, beside whatever else the process is: it pairs a socket that is in memory already
 * and has bytes given back, nothing else, and is forgotten with its link. Who does not know the flag takes it for a
 * client.
 */
inline constexpr std::uint64_t kHelloErrand = 2;

/** First message of a process. A child registers anew, on a connection of its own. */
struct Hello {
  Header header;
  std::int32_t pid;                     // as the process sees itself
  std::uint32_t shared_memory_version;  // kSharedMemoryVersion
  std::uint64_t start_ticks;            // field 22 of /proc/self/stat
  std::uint64_t flags;                  // kHello…
  std::uint64_t reserved;
};

/** One memfd comes along: a page with a Notice. */
struct Welcome {
  Header header;
  std::uint32_t shared_memory_version;
  std::int32_t monitor_pid;
  std::uint64_t instance;  // of this run of the monitor
  std::uint64_t reserved[2];
};

/** The request is not granted; `ends` is 1 when the connection ends with it. */
struct Refused {
  Header header;
  Reason reason;
  std::uint32_t ends;
  std::uint32_t monitor_version;
  std::uint32_t reserved;
};

/** In SocketClaim: the socket is older than libsd in its process. Who else has it is for the monitor to find out. */
inline constexpr std::uint32_t kClaimAdopted = 1;

/** A TCP socket as its process sees it: fstat, SO_COOKIE, SO_NETNS_COOKIE, getsockname, getpeername. */
struct SocketClaim {
  std::int32_t fd;
  std::uint32_t family;  // AF_INET or AF_INET6
  std::uint64_t inode;
  std::uint64_t cookie;
  std::uint64_t netns_cookie;  // 0: not asked for
  Endpoint local;
  Endpoint remote;
  std::uint32_t interface;  // SO_BINDTOIFINDEX; 0 for none
  std::uint32_t flags;      // kClaim…
};

/** "May the bytes of this connection go by memory, and by which?" */
struct Pair {
  Header header;
  SocketClaim socket;
};

/** "This connection stays on the kernel, for this reason": nobody needs to ask for it. Not answered. */
struct Keep {
  Header header;
  SocketClaim socket;
  Reason reason;
  std::uint32_t reserved;
};

/** Where a connection's memory is. */
struct Place {
  std::uint64_t connection;
  std::uint64_t slab;
  std::uint64_t generation;  // of the slot; never the same twice
  std::uint32_t slot;
  std::uint32_t end;         // 0 or 1: which end of it the reader is
  std::uint32_t slots;       // of the slab
  std::uint32_t ring_bytes;  // of the slab
};

enum class Outcome : std::uint32_t {
  shared = 1,   // `place` says where
  waiting = 2,  // the peer has not asked yet: another answer follows if it does
  kernel = 3,   // no; `reason` says why
};

/** To pair and restore. The slab's memfd comes along the first time that the process is told of it. */
struct Answer {
  Header header;
  Outcome outcome;
  Reason reason;
  std::uint64_t cookie;  // of the reader's socket
  Place place;
  std::uint32_t has_memory;  // 1: a memfd comes along
  std::uint32_t reserved;
};

/** After a restart of the monitor: "this connection goes by that memory already". */
struct Restore {
  Header header;
  SocketClaim socket;
  Place place;
};

/** The process is done with the socket, or the descriptor was its last. Not answered. */
struct Release {
  Header header;
  std::uint64_t cookie;
  std::uint64_t reserved;
};

/**
 * "The peer is held: let the kernel have these bytes as the next ones that come from him." They are in `memory`
 * (abi/unread.h), a descriptor of the asking process, which also says there what became of it. Answered only where
 * nothing was looked at in there: by Refused with the same sequence.
 */
struct GiveBack {
  Header header;
  std::uint64_t cookie;  // of the socket that they are read from
  std::uint64_t bytes;
  std::int32_t memory;
  std::uint32_t reserved;
};

/** What carries the bytes now, and why it is the kernel. For the books only. Not answered. */
struct Report {
  Header header;
  std::uint64_t cookie;
  std::uint32_t carrier;  // Carrier
  Reason reason;
};

/** Unasked: the policy changed, or a holder came that may not share. Go back to the kernel. */
struct Withdrawn {
  Header header;
  std::uint64_t cookie;
  std::uint64_t connection;
  Reason reason;
  std::uint32_t reserved;
};

/** Unasked: nobody else holds this slab any more; it may be unmapped once its connections are closed. */
struct PeerGone {
  Header header;
  std::uint64_t slab;
  std::uint64_t reserved;
};

/** "Threads of mine sleep on connections of this slab, and could be woken more cheaply." Answered at most once. */
struct WantDoorbell {
  Header header;
  std::uint64_t slab;
  std::uint64_t reserved;
};

/**
 * To both processes of a slab, when one wants it, and only once for a slab. A descriptor comes along: an end of a pair
 * of UNIX stream sockets, shut down in both directions. shutdown(2) on it wakes whoever waits for edges of the other.
 */
struct Doorbell {
  Header header;
  std::uint64_t slab;
  std::uint64_t reserved;
};

/** Leave, status, stop, reload: a header only. Done: the same, as the answer. */
struct Plain {
  Header header;
};

/** The answer to status: `header.length − sizeof(Header)` bytes of JSON follow. To reload: the errors, or nothing. */
struct Text {
  Header header;
};

/**
 * In the page that comes with Welcome. `messages` counts what the monitor has ever sent to this process, so that a look
 * at memory tells whether there is something to receive.
 */
struct Notice {
  std::uint64_t messages;
};

static_assert(sizeof(Header) == 16 && sizeof(Endpoint) == 24 && sizeof(SocketClaim) == 88 && sizeof(Place) == 40);
static_assert(sizeof(Hello) == 48 && sizeof(Welcome) == 48 && sizeof(Refused) == 32 && sizeof(Pair) == 104);
static_assert(sizeof(Answer) == 80 && sizeof(Restore) == 144 && sizeof(Release) == 32 && sizeof(Report) == 32);
static_assert(sizeof(Keep) == 112 && sizeof(GiveBack) == 40);
static_assert(sizeof(WantDoorbell) == 32 && sizeof(Doorbell) == 32);
static_assert(sizeof(Withdrawn) == 40 && sizeof(PeerGone) == 32);
static_assert(sizeof(Plain) == 16 && sizeof(Text) == 16);

}  // namespace sockdoc::abi
