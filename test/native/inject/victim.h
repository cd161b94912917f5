#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "inject/process/facts.h"

namespace sockdoc::inject {

/** A process that does `work` with one end of a socket; its result is its exit status. */
class Victim {
 public:
  explicit Victim(const std::function<int(int)>& work) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    peer_ = ends[0];
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);  // a child of the test reads its memory
      ::close(ends[0]);
      ::_exit(work(ends[1]));
    }
    ::close(ends[1]);
  }
  ~Victim() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    ::close(peer_);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int peer() const { return peer_; }

  /** Until it sleeps in this system call. */
  void await(long number) const {
    SystemCall call;
    while (read_system_call(pid_, pid_, call) != Activity::sleeping || call.number != number) ::usleep(1000);
  }

  /** Its exit status; -1 when a signal has ended it. */
  int ended() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int peer_ = -1;
};

}  // namespace sockdoc::inject
