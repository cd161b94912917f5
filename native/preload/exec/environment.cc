#include "preload/exec/environment.h"

#include <fcntl.h>
#include <link.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/raw.h"

namespace sockdoc::preload {
namespace {

constexpr std::size_t kLongest = 4352;  // a path of the kernel's longest, with its name
constexpr const char* kNames[] = {"LD_PRELOAD=", "SOCKDOC_MONITOR=", "SOCKDOC_SPIN_US=", "SOCKDOC_AFTER_CALLS="};
constexpr std::size_t kCount = sizeof kNames / sizeof kNames[0];
constexpr std::size_t kPreload = 0;
constexpr const char kDisable[] = "SOCKDOC_DISABLE=";

/** One behind the other, so that few pages are touched; first what all are that were not set. */
constinit char strings[1 + kCount * kLongest] = {};
constinit std::size_t strings_used = 1;
constinit std::size_t kept_at[kCount] = {};

/** NAME=VALUE as it was at load, empty where it was not set; LD_PRELOAD with our library alone. */
char* kept(std::size_t which) { return strings + kept_at[which]; }

bool begins(const char* text, const char* with) { return std::strncmp(text, with, std::strlen(with)) == 0; }

const char* library() { return kept(kPreload) + std::strlen(kNames[kPreload]); }

/** The next library in an LD_PRELOAD from `at` on; its length, 0 at the end. */
std::size_t next_library(const char*& at) {
  at += std::strspn(at, " :");
  return std::strcspn(at, " :");
}

const char* find_library(const char* list, const char* wanted) {
  for (std::size_t length; (length = next_library(list)) != 0; list += length) {
    if (length == std::strlen(wanted) && std::strncmp(list, wanted, length) == 0) return list;
  }
  return nullptr;
}

/** The path that the loader knows this library by. */
int visit(dl_phdr_info* info, std::size_t, void* found) {
  const auto here = reinterpret_cast<std::uintptr_t>(strings);
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const auto& segment = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || here < begin || here >= begin + segment.p_memsz) continue;
    *static_cast<const char**>(found) = info->dlpi_name;
    return 1;
  }
  return 0;
}

constexpr std::size_t kDigits = 21;

void write_number(std::uint64_t number, char (&into)[kDigits]) {
  std::size_t count = 1;
  for (std::uint64_t rest = number; rest >= 10; rest /= 10) count++;
  into[count] = 0;
  for (; count > 0; number /= 10) into[--count] = static_cast<char>('0' + number % 10);
}

void keep(std::size_t which, const char* value) {
  const std::size_t name = std::strlen(kNames[which]);
  if (value == nullptr || name + std::strlen(value) >= kLongest) return;
  std::memcpy(strings + strings_used, kNames[which], name);
  std::memcpy(strings + strings_used + name, value, std::strlen(value) + 1);
  kept_at[which] = strings_used;
  strings_used += name + std::strlen(value) + 1;
}

bool disables(const char* variable) {
  if (!begins(variable, kDisable)) return false;
  const char* value = variable + std::strlen(kDisable);
  return *value != 0 && std::strcmp(value, "0") != 0;
}

/** `list` without our library, or with it behind. */
void write_preload(const char* variable, bool leave_out, char* into) {
  const char* value = variable + std::strlen(kNames[kPreload]);
  const char* ours = find_library(value, library());
  if (!leave_out) {
    std::memcpy(into, variable, std::strlen(variable));
    into += std::strlen(variable);
    *into++ = ':';
    std::memcpy(into, library(), std::strlen(library()) + 1);
    return;
  }
  const auto before = static_cast<std::size_t>(ours - variable);
  std::memcpy(into, variable, before);
  std::strcpy(into + before, ours + std::strlen(library()));
}

/** Names and values that the program was started with, as hashes, of those with a digit. 0: free. */
constexpr std::size_t kPlaces = 1024;
constinit std::uint64_t first_variables[kPlaces] = {};

/** 0 of one that holds no number. */
std::uint64_t hash_of(const char* variable) {
  std::uint64_t hash = 0xcbf29ce484222325;
  bool digits = false;
  for (; *variable != 0; variable++) {
    digits = digits || (*variable >= '0' && *variable <= '9');
    hash = (hash ^ static_cast<unsigned char>(*variable)) * 0x100000001b3;
  }
  return digits ? hash | 1 : 0;
}

bool names_descriptors(const char* variable) {
  constexpr const char* kCustoms[] = {"FD", "SOCK", "LISTEN", "DESC", "HANDLE", "CONN", "STREAM"};
  const std::size_t length = std::strcspn(variable, "=");
  for (const char* custom : kCustoms) {
    for (std::size_t at = 0; at + std::strlen(custom) <= length; at++) {
      if (strncasecmp(variable + at, custom, std::strlen(custom)) == 0) return true;
    }
  }
  return false;
}

}  // namespace

void remember_variables(char* const* environment) {
  constexpr std::size_t kMost = kPlaces / 2;
  for (std::size_t count = 0; environment != nullptr && *environment != nullptr; environment++) {
    const std::uint64_t hash = hash_of(*environment);
    if (hash == 0) continue;
    if (count++ == kMost) return;
    std::size_t place = hash / 2 % kPlaces;
    while (first_variables[place] != 0) place = (place + 1) % kPlaces;
    first_variables[place] = hash;
  }
}

bool was_there_at_start(const char* variable) {
  const std::uint64_t hash = hash_of(variable);
  if (hash == 0) return false;
  for (std::size_t place = hash / 2 % kPlaces; first_variables[place] != 0; place = (place + 1) % kPlaces) {
    if (first_variables[place] == hash) return !names_descriptors(variable);
  }
  return false;
}

void remember_environment() {
  const char* path = nullptr;
  dl_iterate_phdr(visit, &path);
  const char* preload = std::getenv("LD_PRELOAD");
  if (path == nullptr || preload == nullptr || find_library(preload, path) == nullptr) return;
  keep(kPreload, path);
  for (std::size_t i = kPreload + 1; i < kCount; i++) {
    char name[32] = {};
    std::memcpy(name, kNames[i], std::strlen(kNames[i]) - 1);
    keep(i, std::getenv(name));
  }
}

std::size_t EnvironmentPlan::bytes() const { return (count + kCount + 1) * sizeof(char*) + preload_room; }

void keep_environment(const sockdoc_attach_config& attachment) {
  forget_environment();
  if (attachment.library[0] == 0) return;
  char spin[kDigits] = {};
  char calls[kDigits] = {};
  const bool spins = attachment.spin_us != SOCKDOC_ATTACH_SPIN_DEFAULT;
  if (spins) write_number(attachment.spin_us, spin);
  if (attachment.after_calls != 0) write_number(attachment.after_calls, calls);
  const char* values[kCount] = {attachment.library, attachment.monitor, spin, calls};
  for (std::size_t i = kCount; i-- > 0;) {
    if (values[i][0] != 0) keep(i, values[i]);
  }
}

void forget_environment() {
  for (std::size_t& at : kept_at) at = 0;
  strings_used = 1;
}

bool brings_libsd(program::Fit fit, char* const* environment) {
  if (fit != program::Fit::fits || kept(kPreload)[0] == 0) return false;
  for (; environment != nullptr && *environment != nullptr; environment++) {
    if (disables(*environment)) return false;
  }
  // It may be out of reach behind chroot(2), or for this user.
  constexpr int kReadable = 4;
  return !failed(raw(SYS_faccessat, AT_FDCWD, library(), kReadable));
}

EnvironmentPlan plan_environment(program::Fit fit, char* const* environment) {
  EnvironmentPlan plan;
  if (kept(kPreload)[0] == 0 || fit == program::Fit::gains_privileges) return plan;
  for (std::size_t i = 0; i < kCount; i++) plan.missing |= kept(i)[0] != 0 ? 1U << i : 0;
  for (; environment != nullptr && environment[plan.count] != nullptr; plan.count++) {
    const char* variable = environment[plan.count];
    if (disables(variable)) return {};
    for (std::size_t i = 0; i < kCount; i++) {
      if (begins(variable, kNames[i])) plan.missing &= ~(1U << i);
    }
    if (plan.preload == EnvironmentPlan::kNone && begins(variable, kNames[kPreload])) plan.preload = plan.count;
  }
  plan.leave_out = loader_minds(fit);
  if (plan.leave_out) plan.missing = 0;
  if (plan.preload == EnvironmentPlan::kNone) return plan;
  const char* variable = environment[plan.preload];
  const bool there = find_library(variable + std::strlen(kNames[kPreload]), library()) != nullptr;
  if (there == plan.leave_out) plan.preload_room = std::strlen(variable) + std::strlen(library()) + 2;
  return plan;
}

char* const* changed_environment(const EnvironmentPlan& plan, char* const* environment, void* room) {
  auto** variables = static_cast<char**>(room);
  std::size_t count = plan.count;
  if (count != 0) std::memcpy(variables, environment, count * sizeof(char*));
  if (plan.preload_room != 0) {
    char* text = reinterpret_cast<char*>(variables + plan.count + kCount + 1);
    write_preload(environment[plan.preload], plan.leave_out, text);
    variables[plan.preload] = text;
  }
  for (std::size_t i = 0; i < kCount; i++) {
    if ((plan.missing & 1U << i) != 0) variables[count++] = kept(i);
  }
  variables[count] = nullptr;
  return variables;
}

void* map_room(std::size_t bytes) {
  const long mapped = raw(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return failed(mapped) ? nullptr : reinterpret_cast<void*>(mapped);
}

void unmap_room(void* room, std::size_t bytes) { raw(SYS_munmap, room, bytes); }

bool too_big() { return errno == E2BIG; }

}  // namespace sockdoc::preload
