#include "inject/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/fd.h"
#include "inject/deadline.h"

namespace sockdoc::inject {
namespace {

/** More than backing out takes; who hangs, on a file system that does not answer, lets go then. */
constexpr unsigned kLastPatienceS = 20;

volatile pid_t child = 0;

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

/** As the child has ended. From here on its number may be another's. */
int outcome(const sigset_t& signals) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) continue;
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

int guarded(const std::function<int()>& work) {
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
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM}) ::sigdelset(&before, signal);
  const pid_t parent = ::getpid();
  const pid_t made = ::fork();
  if (made > 0) child = made;
  if (made == 0) stand_apart(parent);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return made > 0 ? outcome(signals) : work();
}

}  // namespace sockdoc::inject
