#pragma once

#include <fcntl.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>

/*
 * Every system call that sockdoc makes in a process that it attaches to, by itself and not for the program: the
 * injector's, the loader's for libsd, and libsd's from then on. A filter of system calls (seccomp(2)) that forbids one
 * of them may end the process, so that the injector asks the filters about these first. Tests run libsd under a filter
 * that allows just these: what is missing here fails there. C, since fixtures make that filter.
 */

/** What is known of an argument before the call is made. */
struct sockdoc_argument {
  uint32_t known; /* 0: nothing, 1: its low 32 bits, 2: all */
  uint64_t value;
};

enum sockdoc_own_call_need {
  SOCKDOC_NEEDED,
  SOCKDOC_MAY_FAIL,   /* an error of it is dealt with; to be ended for it is not */
  SOCKDOC_FOR_EXEC,   /* only when the program executes another */
  SOCKDOC_FOR_SELECT, /* only in its place */
  SOCKDOC_FOR_EPOLL   /* only in place of epoll_wait */
};

struct sockdoc_own_call {
  const char *name; /* for people */
  int number;
  int need; /* enum sockdoc_own_call_need */
  struct sockdoc_argument arguments[6];
};

#define SOCKDOC_ANY \
  { 0, 0 }
#define SOCKDOC_IS(value) \
  { 2, (uint64_t)(value) }
#define SOCKDOC_MAP(name, rights, flags)                                                        \
  {                                                                                             \
    name, SYS_mmap, SOCKDOC_NEEDED, {                                                           \
      SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_IS(rights), SOCKDOC_IS(flags), SOCKDOC_ANY, SOCKDOC_ANY \
    }                                                                                           \
  }
#define SOCKDOC_ANYHOW(name, need)                                                                            \
  {                                                                                                           \
#name, SYS_##name, need, { SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY } \
  }
#define SOCKDOC_SECOND(name, value)                                                      \
  {                                                                                      \
#name, SYS_##name, SOCKDOC_NEEDED, {                                                 \
      SOCKDOC_ANY, SOCKDOC_IS(value), SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY \
    }                                                                                    \
  }
#define SOCKDOC_THIRD(name, value)                                                       \
  {                                                                                      \
#name, SYS_##name, SOCKDOC_NEEDED, {                                                 \
      SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_IS(value), SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY \
    }                                                                                    \
  }
#define SOCKDOC_OPEN(flags, need)                                                          \
  {                                                                                        \
    "openat", SYS_openat, need, {                                                          \
      SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_IS(flags), SOCKDOC_IS(0), SOCKDOC_ANY, SOCKDOC_ANY \
    }                                                                                      \
  }

static const struct sockdoc_own_call sockdoc_own_calls[] = {
    /* A visit. */
    SOCKDOC_MAP("mmap", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS),
    SOCKDOC_MAP("mmap(PROT_EXEC)", PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED),
    SOCKDOC_ANYHOW(munmap, SOCKDOC_NEEDED),
    SOCKDOC_SECOND(futex, 128), /* FUTEX_WAIT of this process */
    SOCKDOC_ANYHOW(rt_sigreturn, SOCKDOC_NEEDED),
    /* A thread that was asleep goes on so. */
    SOCKDOC_ANYHOW(restart_syscall, SOCKDOC_NEEDED),
    SOCKDOC_SECOND(memfd_create, 0x11), /* MFD_CLOEXEC, MFD_EXEC */
    SOCKDOC_SECOND(memfd_create, 1),
    SOCKDOC_ANYHOW(close, SOCKDOC_NEEDED),

    /* dlopen() and what it allocates. */
    SOCKDOC_OPEN(O_RDONLY | O_CLOEXEC, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(read, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(pread64, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(fstat, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(newfstatat, SOCKDOC_NEEDED),
    SOCKDOC_MAP("mmap", PROT_READ, MAP_PRIVATE | MAP_DENYWRITE),
    SOCKDOC_MAP("mmap", PROT_READ, MAP_PRIVATE | MAP_DENYWRITE | MAP_FIXED),
    SOCKDOC_MAP("mmap", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_DENYWRITE | MAP_FIXED),
    SOCKDOC_MAP("mmap(PROT_EXEC)", PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_DENYWRITE | MAP_FIXED),
    SOCKDOC_MAP("mmap", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED),
    SOCKDOC_MAP("mmap", PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE),
    SOCKDOC_THIRD(mprotect, PROT_NONE),
    SOCKDOC_THIRD(mprotect, PROT_READ),
    SOCKDOC_THIRD(mprotect, PROT_READ | PROT_WRITE),
    SOCKDOC_ANYHOW(brk, SOCKDOC_NEEDED),
    SOCKDOC_SECOND(futex, 129), /* FUTEX_WAKE */
    SOCKDOC_ANYHOW(getrandom, SOCKDOC_MAY_FAIL),

    /* libsd: its memory. */
    SOCKDOC_MAP("mmap(PROT_EXEC)", PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE),
    SOCKDOC_MAP("mmap", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE),
    SOCKDOC_MAP("mmap", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED),
    SOCKDOC_MAP("mmap", PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS),
    SOCKDOC_MAP("mmap", PROT_READ | PROT_WRITE, MAP_SHARED),
    SOCKDOC_MAP("mmap", PROT_READ, MAP_SHARED),
    SOCKDOC_MAP("mmap", PROT_READ, MAP_SHARED | MAP_FIXED),
    SOCKDOC_THIRD(madvise, 9),       /* MADV_REMOVE */
    SOCKDOC_THIRD(madvise, 10),      /* MADV_DONTFORK */
    SOCKDOC_THIRD(madvise, 18),      /* MADV_WIPEONFORK */
    SOCKDOC_THIRD(madvise, 23),      /* MADV_POPULATE_WRITE */
    SOCKDOC_SECOND(memfd_create, 3), /* MFD_CLOEXEC, MFD_ALLOW_SEALING */
    SOCKDOC_ANYHOW(ftruncate, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(prlimit64, SOCKDOC_NEEDED),

    /* Threads, time and signals. */
    SOCKDOC_SECOND(futex, 0), /* FUTEX_WAIT in memory of two processes */
    SOCKDOC_SECOND(futex, 1), /* FUTEX_WAKE there */
    {"futex_waitv",
     449,
     SOCKDOC_MAY_FAIL,
     {SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY}},
    SOCKDOC_ANYHOW(rt_sigprocmask, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(rt_sigaction, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(clock_gettime, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(nanosleep, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(sched_yield, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(getpid, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(waitid, SOCKDOC_MAY_FAIL), /* whether a child has ended */

    /* Descriptors. Without kcmp(2) epoll sets that have more than one descriptor are not understood. */
    SOCKDOC_OPEN(O_RDONLY | O_DIRECTORY | O_CLOEXEC, SOCKDOC_NEEDED),
    SOCKDOC_OPEN(010000000 | O_DIRECTORY | O_CLOEXEC, SOCKDOC_NEEDED), /* O_PATH */
    SOCKDOC_ANYHOW(getdents64, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(readlinkat, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(kcmp, SOCKDOC_MAY_FAIL),
    SOCKDOC_SECOND(fcntl, F_GETFD),
    SOCKDOC_SECOND(fcntl, F_SETFD),
    SOCKDOC_SECOND(fcntl, F_GETFL),
    SOCKDOC_SECOND(fcntl, F_DUPFD_CLOEXEC),
    SOCKDOC_SECOND(fcntl, 1033), /* F_ADD_SEALS */
    SOCKDOC_SECOND(fcntl, 1034), /* F_GET_SEALS */
    SOCKDOC_SECOND(ioctl, FIONREAD),
    SOCKDOC_SECOND(ioctl, TIOCOUTQ),
    SOCKDOC_SECOND(ioctl, SIOCOUTQNSD),
    SOCKDOC_ANYHOW(ppoll, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(pselect6, SOCKDOC_FOR_SELECT),
    SOCKDOC_ANYHOW(eventfd2, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(epoll_ctl, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(epoll_pwait, SOCKDOC_FOR_EPOLL),

    /* Sockets: the monitor's, and the program's. */
    {"socket(AF_UNIX)",
     SYS_socket,
     SOCKDOC_NEEDED,
     {SOCKDOC_IS(AF_UNIX), SOCKDOC_IS(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK), SOCKDOC_IS(0), SOCKDOC_ANY,
      SOCKDOC_ANY, SOCKDOC_ANY}},
    SOCKDOC_ANYHOW(connect, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(getsockname, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(getpeername, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(getsockopt, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(setsockopt, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(sendto, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(sendmsg, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(recvfrom, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(recvmsg, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(write, SOCKDOC_NEEDED),
    SOCKDOC_ANYHOW(shutdown, SOCKDOC_NEEDED),

    /* What it is that the program executes, and what may go along. */
    SOCKDOC_OPEN(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, SOCKDOC_FOR_EXEC),
    SOCKDOC_ANYHOW(fgetxattr, SOCKDOC_FOR_EXEC),
    SOCKDOC_ANYHOW(faccessat, SOCKDOC_FOR_EXEC),
    {"faccessat2",
     439,
     SOCKDOC_FOR_EXEC,
     {SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY, SOCKDOC_ANY}},
    SOCKDOC_ANYHOW(getuid, SOCKDOC_FOR_EXEC),
    SOCKDOC_ANYHOW(geteuid, SOCKDOC_FOR_EXEC),
    SOCKDOC_ANYHOW(getgid, SOCKDOC_FOR_EXEC),
    SOCKDOC_ANYHOW(getegid, SOCKDOC_FOR_EXEC),
};

#undef SOCKDOC_ANY
#undef SOCKDOC_IS
#undef SOCKDOC_MAP
#undef SOCKDOC_ANYHOW
#undef SOCKDOC_SECOND
#undef SOCKDOC_THIRD
#undef SOCKDOC_OPEN
