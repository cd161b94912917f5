#pragma once

#include <string>
#include <variant>

#include "base/fd.h"

namespace sockdoc::monitor {

/** Why the monitor cannot start, for the person who started it. `code` is the exit code of the command line. */
struct StartFailure {
  int code = 4;
  std::string message;
  std::string next;
};

/** Where the socket is without --socket: /run/sockdoc for root, else the user's runtime folder or a private one in
 * /tmp. */
[[nodiscard]] std::string default_socket();

/**
 * The socket's place while the monitor runs: its folder, a lock beside it that goes with the process, and the listening
 * socket. All of it is removed at the end; after kill -9 the lock is free and the socket stale, and both are taken
 * over.
 */
class RunFiles {
 public:
  /** Makes the folder where it is a default one. */
  static std::variant<RunFiles, StartFailure> claim(const std::string& path);
  RunFiles(RunFiles&& other) noexcept;
  RunFiles& operator=(RunFiles&&) = delete;
  ~RunFiles();

  [[nodiscard]] int listener() const { return listener_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  RunFiles(std::string path, Fd lock, Fd listener)
      : path_(std::move(path)), lock_(std::move(lock)), listener_(std::move(listener)) {}

  std::string path_;
  Fd lock_;
  Fd listener_;
};

}  // namespace sockdoc::monitor
