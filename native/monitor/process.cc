#include "monitor/process.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/messages.h"
#include "abi/slab.h"
#include "base/procfs.h"
#include "probes/sockets/process_table.h"

namespace sockdoc::monitor {
namespace {

Result<Fd> notice_page() {
  Fd fd(::memfd_create("sockdoc-notice", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return errno_error("memfd_create");
  if (::ftruncate(fd.get(), abi::kPage) != 0) return errno_error("ftruncate");
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) return errno_error("seal");
  return fd;
}

}  // namespace

Result<std::unique_ptr<Process>> open_process(int pid, int own_pid, std::uint64_t start_ticks) {
  auto process = std::make_unique<Process>();
  process->pid = pid;
  process->start_ticks = start_ticks;
  process->pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process->pidfd.valid()) return errno_error("pidfd_open");
  process->proc = Fd(::open(("/proc/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!process->proc.valid()) return errno_error("open /proc/PID");
  char buffer[4096];
  const auto text = read_small(process->proc.get(), "stat", buffer);
  const auto stat = text ? parse_stat(*text) : std::nullopt;
  if (!stat || stat->start_ticks != start_ticks) return Error{ESRCH, "start time"};
  process->comm = stat->comm;
  auto identity = read_identity(process->proc.get());
  if (!identity) return identity.error();
  if (identity->own_pid != own_pid) return Error{ESRCH, "pid"};
  process->identity = std::move(*identity);
  auto notice = notice_page();
  if (!notice) return notice.error();
  process->notice = std::move(*notice);
  return process;
}

bool ended(const Process& process) {
  pollfd end{process.pidfd.get(), POLLIN, 0};
  return ::poll(&end, 1, 0) > 0;
}

void count_message(Process& process) {
  // Written, not mapped: whatever the process does to its page, no access of ours can fault.
  const abi::Notice notice{++process.messages};
  (void)!::pwrite(process.notice.get(), &notice, sizeof notice, 0);
}

}  // namespace sockdoc::monitor
