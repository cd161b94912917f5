#pragma once

/** syscall() of a call that is hooked, as the hook of it makes it: -1 with errno on failure. Others go to libc's
 * syscall(). */
extern "C" long sockdoc_tracked_syscall(long number, long a, long b, long c, long d, long e, long f);
