#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/output.h"
#include "monitor/daemon.h"
#include "monitor/policy_parser.h"
#include "monitor/run_files.h"

// sockdoc-monitor [--socket PATH] [--policy FILE] [--background | --ends-with PID] [--ready-fd N]
// sockdoc-monitor --check-policy FILE
//
// Stays in the foreground without --background. With --ready-fd it writes one line of JSON there when it is ready
// ({"pid", "socket"}) or has failed ({"error": {code, message, next}}); under systemd (Type=notify) it says READY=1.
// With --ends-with it ends with its parent, whose process id that is.

namespace {

using namespace sockdoc;
using namespace sockdoc::monitor;

constexpr int kUsage = 2;
constexpr int kInternal = 70;

struct Options {
  std::string socket = default_socket();
  std::string policy;
  std::string check;
  int ready_fd = -1;
  int parent = 0;
  int end_at = 0;   // for tests: the answer that gives memory before which the monitor is killed,
  int stop_at = 0;  // or stopped
  bool background = false;
};

bool number(std::string_view text, int& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

/** Where the number of an option goes. */
int* number_of(Options& options, std::string_view name) {
  if (name == "--ready-fd") return &options.ready_fd;
  if (name == "--ends-with") return &options.parent;
  if (name == "--end-at") return &options.end_at;
  return name == "--stop-at" ? &options.stop_at : nullptr;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--background") {
      options.background = true;
      --i;
      continue;
    }
    if (i + 1 >= argc) return std::nullopt;
    const std::string_view value = argv[i + 1];
    if (name == "--socket")
      options.socket = value;
    else if (name == "--policy")
      options.policy = value;
    else if (name == "--check-policy")
      options.check = value;
    else if (int* const into = number_of(options, name); into == nullptr || !number(value, *into))
      return std::nullopt;
  }
  return options;
}

void tell(int fd, Json& json) {
  if (fd < 0) return;
  write_all(fd, json.text() + "\n");
  ::close(fd);
}

int fail(const Options& options, const StartFailure& failure) {
  Json json;
  json.begin_object().key("error").begin_object();
  json.field("code", failure.code).field("message", failure.message).field("next", failure.next);
  json.end_object().end_object();
  tell(options.ready_fd, json);
  if (options.ready_fd < 0)
    write_all(STDERR_FILENO, "sockdoc-monitor: " + failure.message + "\n" + failure.next + "\n");
  return failure.code;
}

/** The administrator's or the user's own, if there is one. */
std::string default_policy() {
  std::string folder = "/etc";
  if (::geteuid() != 0) {
    const char* config = std::getenv("XDG_CONFIG_HOME");
    const char* home = std::getenv("HOME");
    if (config != nullptr && *config == '/')
      folder = config;
    else if (home != nullptr && *home == '/')
      folder = std::string(home) + "/.config";
    else
      return "";
  }
  const std::string path = folder + "/sockdoc/policy";
  return ::access(path.c_str(), F_OK) == 0 ? path : "";
}

void write_errors(Json& json, const ParsedPolicy& parsed) {
  json.key("errors").begin_array();
  for (const PolicyError& error : parsed.errors) {
    json.begin_object();
    if (error.line > 0) json.field("line", error.line).field("column", error.column);
    json.field("message", error.message).field("expected", error.expected).end_object();
  }
  json.end_array();
}

int check_policy(const std::string& path) {
  const ParsedPolicy parsed = read_policy(path);
  const Limits& limits = parsed.policy.limits;
  Json json;
  json.begin_object().field("rules", std::uint64_t{parsed.policy.rules.size()});
  json.key("limits").begin_object().field("slabs", limits.slabs).field("bytes", limits.bytes);
  json.field("connections", limits.connections).field("requests", limits.requests).field("ring", limits.ring);
  json.end_object();
  write_errors(json, parsed);
  json.end_object();
  write_all(STDOUT_FILENO, json.text() + "\n");
  return parsed.errors.empty() ? 0 : kUsage;
}

/** sd_notify(3) without its library. */
void tell_systemd() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length == 0 || length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  constexpr std::string_view kReady = "READY=1";
  (void)!::sendto(fd.get(), kReady.data(), kReady.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

/** Each process costs a few descriptors, each slab one. */
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/**
 * On its own: nobody's child (who started it may become a program that waits for its children), in no session, holding
 * no folder and no descriptor of those who started it.
 */
void go_to_background(const Options& options) {
  if (::fork() != 0) ::_exit(0);
  ::setsid();
  (void)!::chdir("/");
  const auto keep = static_cast<unsigned>(options.ready_fd);
  if (options.ready_fd > STDERR_FILENO + 1) ::close_range(STDERR_FILENO + 1, keep - 1, 0);
  ::close_range(options.ready_fd > STDERR_FILENO ? keep + 1 : STDERR_FILENO + 1, ~0u, 0);
}

/** False: it has ended already. */
bool end_with(int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  return ::getppid() == parent;
}

int serve(Options& options) {
  if (options.policy.empty()) options.policy = default_policy();
  ParsedPolicy parsed;
  if (!options.policy.empty()) parsed = read_policy(options.policy);
  if (!parsed.errors.empty()) {
    const PolicyError& first = parsed.errors.front();
    return fail(options, {kUsage, error_line(options.policy, first),
                          "All of them: sockdoc monitor policy check " + options.policy});
  }
  auto claimed = RunFiles::claim(options.socket);
  if (const auto* failure = std::get_if<StartFailure>(&claimed)) return fail(options, *failure);
  const auto& files = std::get<RunFiles>(claimed);
  Daemon daemon(files.listener(), SOCKDOC_VERSION, std::move(parsed.policy), options.policy);
  if (options.end_at > 0) daemon.raise_before(options.end_at, SIGKILL);
  if (options.stop_at > 0) daemon.raise_before(options.stop_at, SIGSTOP);
  if (const Status ready = daemon.prepare(); !ready) return fail(options, {kInternal, ready.error().message(), ""});
  Json json;
  json.begin_object().field("pid", static_cast<int>(::getpid())).field("socket", files.path()).end_object();
  tell(options.ready_fd, json);
  tell_systemd();
  daemon.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  auto options = parse(argc, argv);
  if (!options) {
    write_all(STDERR_FILENO,
              "Usage: sockdoc-monitor [--socket PATH] [--policy FILE] [--background | --ends-with PID] [--ready-fd N]\n"
              "       sockdoc-monitor --check-policy FILE\n");
    return kUsage;
  }
  if (!options->check.empty()) return check_policy(options->check);
  if (options->background) go_to_background(*options);
  if (options->parent != 0 && !end_with(options->parent)) return 0;
  raise_descriptor_limit();
  return serve(*options);
}
