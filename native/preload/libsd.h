#pragma once

#include <stdint.h>

#include "abi/attach.h"

/*
 * libsd.so: sockdoc inside a program. LD_PRELOAD loads it; its constructor patches the entries of libc's socket calls,
 * so that they lead to the hooks of hooks.cc. Without a monitor (SOCKDOC_MONITOR) these only keep count and pass every
 * call on to the kernel; with one, a connection whose both ends are under libsd goes over to shared memory
 * (connection/).
 *
 * What may be called where. Code of native/preload is one of three kinds:
 *
 *  load     load.cc, Patcher::prepare(), Image::of_library(), sockdoc_libsd_attach(): once, in the constructor, before
 *           the program's main, or while the program runs. May take the loader's lock. Allocates by mmap(2) alone.
 *  stopped  sockdoc_libsd_apply() and sockdoc_libsd_undo(), so Patcher::apply() and undo(), and the taking stock: all
 *           other threads are stopped, wherever they were, perhaps inside malloc. raw system calls and stores alone.
 *  hooks    everything else: in any thread, in signal handlers, in the child of vfork() on its parent's memory, in a
 *           thread that is cancelled or leaves by longjmp() during the call. So: no allocation but mmap(2), no lock,
 *           nothing half-done across a call that may not return, no stdio, no thread-local storage, no exceptions;
 *           errno only where the call itself fails. Of libc: memory and string functions, getenv() at load,
 *           dl_iterate_phdr() at load, __errno_location(). All else by raw() in base/raw.h: a libc function leads back
 *           into the hooks.
 *
 * The program's own call goes to the original through its trampoline, exactly once and with the same arguments, so that
 * cancellation points, EINTR, SIGPIPE and the order of effects stay libc's and the kernel's.
 *
 * libsd.so needs libc.so.6 and nothing else, with symbols of GLIBC_2.17 at most. It has the names of the calls as
 * dynamic symbols too: where code may not be patched they interpose as far as symbols reach, which is not inside of
 * libc.
 */

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum sockdoc_libsd_mode {
  SOCKDOC_LIBSD_NOT_STARTED = 0, /* loaded into a program that ran already */
  SOCKDOC_LIBSD_DISABLED = 1,    /* SOCKDOC_DISABLE is set, or taken back */
  SOCKDOC_LIBSD_SECOND = 2,      /* another copy does the work */
  SOCKDOC_LIBSD_INTERPOSED = 3,  /* by symbols alone; `reason` says why */
  SOCKDOC_LIBSD_PREPARED = 4,    /* sockdoc_libsd_apply() waits for somebody who stops the threads */
  SOCKDOC_LIBSD_PATCHED = 5
};

struct sockdoc_libsd_state {
  uint32_t mode;
  uint32_t entries;   /* patched, or prepared to be */
  const char *reason; /* a constant, or NULL */
  const char *name;   /* the function that the reason is about, or "" */
  int32_t error;      /* an errno value, or 0 */
  uint32_t leaving;   /* 1: leave was called, and neither attach nor undo since */
};

enum sockdoc_libsd_kind {
  SOCKDOC_SOCKET_FRESH = 1,
  SOCKDOC_SOCKET_LISTENER = 2,
  SOCKDOC_SOCKET_CONNECTING = 3,
  SOCKDOC_SOCKET_OPENED = 4, /* by connect() */
  SOCKDOC_SOCKET_ACCEPTED = 5,
  SOCKDOC_SOCKET_INHERITED = 6, /* was there at the start, or came by SCM_RIGHTS */
  SOCKDOC_EPOLL_SET = 7         /* no socket: an epoll set, which is kept in the same table (readiness/epoll_set.h) */
};

/* A TCP socket as libsd saw it. */
struct sockdoc_socket_state {
  uint32_t kind;
  uint32_t non_blocking;  /* as this process set it last: somebody else who holds the socket may have changed it */
  uint32_t complete;      /* the counts hold all bytes of the connection: no other process and no uncounted call */
  uint32_t shut;          /* 1: reading, 2: writing was shut down */
  uint64_t cookie;        /* SO_COOKIE */
  uint64_t sent;          /* bytes that calls accepted */
  uint64_t received;      /* bytes that calls delivered */
  uint32_t mapped;        /* this process shares memory with the peer */
  uint32_t reason;        /* why the kernel carries it, a number of abi/reasons.h; 0: none known */
  uint32_t sends_by_ring; /* what carries now, each direction for itself */
  uint32_t receives_by_ring;
  uint64_t ring_sent; /* of `sent`, the bytes that the ring carried */
  uint64_t ring_received;
};

const char *sockdoc_libsd_version(void);
void sockdoc_libsd_status(struct sockdoc_libsd_state *status);

/* 0, or -1 when libsd knows no TCP socket by this number. */
int sockdoc_libsd_socket(int fd, struct sockdoc_socket_state *into);

/*
 * In a process that runs already. dlopen() of libsd.so patches nothing and changes nothing. Each of these gives 0, or
 * -1 with the reason in the status; what failed left everything as it was.
 *
 * attach  while all threads run, in one of them: prepares. Also after undo, since the library stays mapped.
 * apply   with all other threads stopped, none behind the first byte of what is displaced at a site: takes stock of
 *         descriptors and epoll sets, and patches. A thread that waits in the kernel in a hooked call has to be led to
 *         sockdoc_libsd_pending, or be made to come back: libsd does not know of it, and a read without a limit that
 *         is older than the first byte in a ring would take what comes behind it. The same is true of a thread that is
 *         on its way there: within a function that is patched, or, when libsd was here before, within libsd.
 *         `own_sets`: descriptors of epoll sets that at this moment nobody outside of this process can reach, by any
 *         way; of each set all. Of these the kernel need not hear of each change.
 * leave   while all run, in one of them, wherever it was interrupted: from now on no connection goes to a ring, and
 *         those that are there go back; `left`: directions of connections that are not back yet. To be called again
 *         until there is none. A direction waits for the program to read what lies in its ring. Who gives up calls
 *         attach: libsd stays then, and new connections may go to rings.
 * kept    after leave, as it is called: what it waits for. How many there are; the first `room` of them are written.
 * undo    with all other threads stopped: libc's code is as it was, nothing of ours is left but memory. Refused while a
 *         connection is not back. Who is inside a hook goes on there, by the kernel.
 *
 * With SOCKDOC_ATTACH_BY_TRACER libsd writes no code and changes the rights of no memory: who attaches writes the
 * trampolines behind attach, the entries before apply, and those back behind undo.
 */
int sockdoc_libsd_attach(const struct sockdoc_attach_config *config);
/* How many sites there are; the first `room` of them are written. */
uint32_t sockdoc_libsd_sites(struct sockdoc_attach_site *into, uint32_t room);
/* The trampolines, after attach. */
void sockdoc_libsd_code(struct sockdoc_attach_code *into);
int sockdoc_libsd_apply(const int32_t *own_sets, uint32_t count);
int sockdoc_libsd_leave(uint32_t *left);
uint32_t sockdoc_libsd_kept(struct sockdoc_attach_kept *into, uint32_t room);
int sockdoc_libsd_undo(void);

/*
 * Where a thread that was broken off in a system call goes on, with its registers as they were at its `syscall`
 * instruction but for rcx: the address behind that, rax: the number, r11: what the kernel had done (attach/pending.h).
 * Comes back to rcx with the call's result in rax. By the hooks where libc is patched, else by the kernel. 2 bytes
 * behind each is where the kernel is to be told that it stands, so that a signal has its due; `rest` is for a call that
 * had moved bytes.
 */
void sockdoc_libsd_pending(void);
void sockdoc_libsd_pending_rest(void);

/* For who looks from outside and calls nothing. */
extern const struct sockdoc_libsd_state *const sockdoc_libsd_present;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
