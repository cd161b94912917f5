#pragma once

#include <stdint.h>

/*
 * What an injector and libsd say to each other when libsd comes into a process that runs already: by memory of that
 * process, so both are of one build. C, since fixtures use it too. Who calls what, and when: preload/libsd.h.
 */

#define SOCKDOC_ATTACH_VERSION 3
#define SOCKDOC_ATTACH_SPIN_DEFAULT 0xffffffffU
#define SOCKDOC_ATTACH_BY_TRACER 1U /* who attaches writes all code; else libsd does, by mprotect(2) */

/** What would have come by the environment. Strings end with a zero byte. */
struct sockdoc_attach_config {
  uint32_t version;     /* SOCKDOC_ATTACH_VERSION */
  uint32_t size;        /* of this structure */
  uint64_t after_calls; /* SOCKDOC_AFTER_CALLS; 0: libsd's own */
  uint32_t spin_us;     /* SOCKDOC_SPIN_US; SOCKDOC_ATTACH_SPIN_DEFAULT: libsd's own */
  uint32_t flags;       /* SOCKDOC_ATTACH_BY_TRACER */
  char monitor[256];    /* path of the monitor's socket as the process sees it; "": none, bytes are only counted */
  char library[256];    /* libsd's path for programs that the process will execute; "": they run without it */
};

/** A libc entry that is, or will be, patched. */
struct sockdoc_attach_site {
  uint64_t at;             /* where the jump goes */
  uint32_t displaced;      /* bytes of whole instructions from there on: no thread may stand behind the first of them */
  uint32_t syscall_inside; /* 1: one of them is `syscall`; who is in it comes back to the middle of the jump */
  uint8_t before[8];       /* the first 5 bytes of the entry; the rest is 0 */
  uint8_t after[8];        /* what is written there */
  uint64_t trampoline;     /* does what was displaced, and goes on behind it */
};

/** Code of libsd's own, its trampolines: `bytes` bytes at `from` belong to `at`, which may be executed only. */
struct sockdoc_attach_code {
  uint64_t at;
  uint64_t from; /* `at` itself where libsd has written it */
  uint64_t bytes;
};

/** What keeps libsd from leaving: `why` of struct sockdoc_attach_kept. docs/attach.md says what ends each of them. */
enum sockdoc_attach_why {
  SOCKDOC_KEPT_UNREAD = 1,     /* its program has not read what lies in memory */
  SOCKDOC_KEPT_RECEIVING = 2,  /* a thread was receiving by it */
  SOCKDOC_KEPT_SENDING = 3,    /* a thread was sending by it */
  SOCKDOC_KEPT_PEER_READS = 4, /* the other end stands in the middle of a read */
  SOCKDOC_KEPT_CROSSING = 5,   /* a thread was about to take it to memory */
  SOCKDOC_KEPT_MONITOR = 6,    /* no connection: a thread was speaking with the monitor */
  SOCKDOC_KEPT_INTEREST = 7    /* no connection: the kernel has not heard of all that an epoll set is to wait for */
};

/** One direction of a connection that is not back on the kernel, or a thread that is in the middle of something. */
struct sockdoc_attach_kept {
  uint32_t why;    /* enum sockdoc_attach_why */
  int32_t fd;      /* one of those that lead to it; -1: none does, and no address is known */
  uint64_t unread; /* bytes in memory that the program has not read */
  uint64_t before; /* bytes that it has to read from the kernel first */
  uint32_t family; /* AF_INET, AF_INET6; 0: not known */
  uint16_t local_port, remote_port;
  uint8_t local[16], remote[16]; /* IPv4 as ::ffff:a.b.c.d */
};

#ifdef __cplusplus
static_assert(sizeof(struct sockdoc_attach_config) == 536);
static_assert(sizeof(struct sockdoc_attach_site) == 40);
static_assert(sizeof(struct sockdoc_attach_kept) == 64);
#else
_Static_assert(sizeof(struct sockdoc_attach_config) == 536, "layout");
_Static_assert(sizeof(struct sockdoc_attach_site) == 40, "layout");
_Static_assert(sizeof(struct sockdoc_attach_kept) == 64, "layout");
#endif
