#include "inject/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <string_view>

#include "base/fd.h"
#include "base/output.h"
#include "inject/deadline.h"

namespace sockdoc::inject {
namespace {

/** More than backing out takes; who hangs, on a file system that does not answer, lets go then. */
constexpr unsigned kLastPatienceS = 20;

/** Behind the limit: who has begun nothing is to end with it. */
constexpr std::int64_t kToReportMs = 2000;

volatile pid_t child = 0;
std::atomic<bool>* has_begun = nullptr;  // shared by the two

void end(int) {
  const bool again = asked_to_end.exchange(true);
  if (child > 0) {
    ::kill(child, SIGTERM);
  } else if (!again) {
    ::alarm(kLastPatienceS);
  }
}

/** While the target's memory is copied its host may run out of it: we have little, and hold others. */
void spare_from_want_of_memory() {
  const Fd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr std::string_view kNever = "-1000";  // only root may
  if (file.valid()) (void)!::write(file.get(), kNever.data(), kNever.size());
}

void stand_apart(pid_t parent) {
  ::setsid();
  ::prctl(PR_SET_NAME, kTracerName);
  spare_from_want_of_memory();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) end(SIGTERM);
}

bool awaits_end(const Deadline& limit) {
  sigset_t end_of_child;
  ::sigemptyset(&end_of_child);
  ::sigaddset(&end_of_child, SIGCHLD);
  for (;;) {
    siginfo_t info{};
    const int result = ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT | WNOHANG);
    if ((result == 0 && info.si_pid == child) || (result != 0 && errno != EINTR)) return true;
    if (limit.left_ns() <= 0) return false;
    constexpr std::int64_t kLook = 100'000'000;
    const timespec time{0, std::min(limit.left_ns(), kLook)};
    ::sigtimedwait(&end_of_child, nullptr, &time);
  }
}

/** False: it hung, and has been killed, so far as that can be done. */
bool ends_in_time(std::int64_t limit_ms) {
  constexpr std::int64_t kLastPatienceMs = kLastPatienceS * 1000;
  if (awaits_end(Deadline::of_taking_back_in_ms(limit_ms + kToReportMs))) return true;
  const bool may_hold = has_begun == nullptr || has_begun->load();
  if (may_hold && awaits_end(Deadline::of_taking_back_in_ms(kLastPatienceMs))) return true;
  ::kill(child, SIGKILL);
  constexpr int kToDieMs = 1000;
  (void)awaits_end(Deadline::of_taking_back_in_ms(kToDieMs));
  return false;
}

bool pass_on(const Fd& said) {
  off_t at = 0;
  char buffer[8192];
  for (ssize_t got; (got = ::pread(said.get(), buffer, sizeof buffer, at)) > 0; at += got) {
    if (!write_all(STDOUT_FILENO, {buffer, static_cast<std::size_t>(got)})) return false;
  }
  return true;
}

/** As the child has ended. From here on its number may be another's. */
int outcome(const sigset_t& signals) {
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  int status = 0;
  if (::waitpid(child, &status, 0) < 0) return EX_SOFTWARE;
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int signal = WTERMSIG(status);
  ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  ::raise(signal);
  return 128 + signal;
}

}  // namespace

void begun() {
  if (has_begun != nullptr) has_begun->store(true);
}

int guarded(std::int64_t limit_ms, const std::function<int()>& work, const std::function<int()>& hangs) {
  void* shared = ::mmap(nullptr, sizeof *has_begun, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared != MAP_FAILED) has_begun = new (shared) std::atomic<bool>(false);
  const Fd said(::memfd_create("sockdoc-said", MFD_CLOEXEC));
  // Whoever starts us may have left these as no waiting and no last patience can go with.
  for (const int signal : {SIGCHLD, SIGALRM}) ::signal(signal, SIG_DFL);
  struct sigaction action {};
  action.sa_handler = end;
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    ::sigaction(signal, &action, nullptr);
    ::sigaddset(&signals, signal);
  }
  ::sigaddset(&signals, SIGCHLD);  // the end of the child is waited for
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD}) ::sigdelset(&before, signal);
  const pid_t parent = ::getpid();
  const pid_t made = ::fork();
  if (made > 0) child = made;
  if (made == 0) stand_apart(parent);
  if (made == 0 && said.valid()) ::dup2(said.get(), STDOUT_FILENO);
  if (made > 0) ::sigaddset(&before, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (made <= 0) return work();
  if (!ends_in_time(limit_ms)) return hangs();
  const bool heard = pass_on(said);
  const int status = outcome(signals);
  return heard || status != 0 ? status : EX_SOFTWARE;
}

}  // namespace sockdoc::inject
