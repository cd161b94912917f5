#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace sockdoc {

/**
 * Runs `work` on a new thread that has entered the network namespace at `path` ("/proc/PID/ns/net" or
 * "/run/netns/NAME"; empty: stay where we are), and waits for it. Needs CAP_SYS_ADMIN in that namespace's user
 * namespace. A thread of its own, because setns() changes the calling thread for good and the pool's threads must stay
 * where they are; inside, /proc/thread-self/net and /proc/sys/net show the namespace, /sys does not (see own_sysfs).
 *
 * `own_sysfs` also gives the thread a mount namespace of its own with a fresh /sys, which shows the devices of the
 * entered namespace. Nothing is visible outside the thread, and all of it is gone with it.
 */
Status in_netns(const std::string& path, bool own_sysfs, const std::function<void()>& work);

/** The same with a fresh /sys that may be written to; where /sys is there for reading only, that one stays (EROFS). */
Status in_netns_to_write(const std::string& path, bool own_sysfs, const std::function<void()>& work);

/**
 * The same in a network namespace that is made for it and is gone afterwards: what the kernel sets in a new one.
 * Nothing else is in it, and nobody else sees it.
 */
Status in_new_netns(const std::function<void()>& work);

/** Inode number of the namespace at `path` (empty: the calling thread's), which is its identity. */
Result<std::uint64_t> netns_id(const std::string& path);

}  // namespace sockdoc
