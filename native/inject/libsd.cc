#include "inject/libsd.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "inject/ptrace/code.h"
#include "inject/target/memory_file.h"

namespace sockdoc::inject {
namespace {

constexpr char kName[] = "sockdoc-libsd";
constexpr unsigned kMayExecute = 0x10;  // MFD_EXEC, since Linux 6.3

std::string error_text(long result) { return std::strerror(static_cast<int>(-result)); }

Refused make_file(Visit& visit, const Memory& memory, const Deadline& deadline, long& fd) {
  if (!memory.write(visit.room(), kName, sizeof kName)) return gone();
  for (const unsigned flags : {MFD_CLOEXEC | kMayExecute, MFD_CLOEXEC}) {
    if (auto refusal = visit.system_call({SYS_memfd_create, number(visit.room()), flags}, deadline, fd)) return refusal;
    if (fd != -EINVAL) break;
  }
  if (fd >= 0) return std::nullopt;
  return Refusal{"loader", "It gets no file in memory for the library: " + error_text(fd) + ".", ""};
}

/** How much of the file the loader maps: behind that lie symbols for debuggers, and the target is held while all this
 * is copied. */
std::uint64_t loaded_size(int file) {
  Elf64_Ehdr head{};
  std::uint64_t size = 0;
  if (::pread(file, &head, sizeof head, 0) != sizeof head || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return 0;
  for (unsigned i = 0; i < head.e_phnum; i++) {
    Elf64_Phdr segment{};
    if (::pread(file, &segment, sizeof segment, static_cast<off_t>(head.e_phoff + i * sizeof segment)) !=
        sizeof segment)
      return 0;
    if (segment.p_type == PT_LOAD) size = std::max(size, segment.p_offset + segment.p_filesz);
  }
  return size;
}

bool copy(const std::string& library, const std::string& into) {
  const Fd from(::open(library.c_str(), O_RDONLY | O_CLOEXEC));
  const Fd to = open_memory_file(into);
  if (!from.valid() || !to.valid()) return false;
  const std::uint64_t size = loaded_size(from.get());
  for (std::uint64_t left = size; left > 0;) {
    const ssize_t copied = ::sendfile(to.get(), from.get(), nullptr, left);
    if (copied <= 0) return false;
    left -= static_cast<std::uint64_t>(copied);
  }
  return size > 0;
}

/** glibc before 2.34 has dlopen() in a library of its own, and a name for its own use in libc. */
std::optional<Address> find_loader(const Memory& memory, const Image& libc) {
  if (const auto at = libc.symbol("dlopen")) return at;
  const auto maps = read_maps(memory.pid());
  const auto libdl = maps ? find_library(memory, *maps, "libdl.so.2") : std::nullopt;
  if (libdl) return libdl->symbol("dlopen");
  return libc.symbol("__libc_dlopen_mode");
}

bool same_files(pid_t pid) {
  const auto same = [&](const char* name) {
    struct stat ours {};
    struct stat theirs {};
    return ::stat((std::string("/proc/self/") + name).c_str(), &ours) == 0 &&
           ::stat((process_folder(pid) + "/" + name).c_str(), &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
  };
  return same("ns/mnt") && same("root");
}

template <std::size_t N>
bool put(char (&into)[N], const std::string& text) {
  if (text.size() >= N) return false;
  std::copy(text.begin(), text.end(), into);
  return true;
}

}  // namespace

Refused Libsd::load(Visit& visit, const Memory& memory, const Image& libc, const Job& job, const Deadline& deadline,
                    std::optional<Libsd>& into) {
  const auto loader = find_loader(memory, libc);
  if (!loader) return Refusal{"loader", "Its C library has no dlopen().", ""};
  long fd = -1;
  if (auto refusal = make_file(visit, memory, deadline, fd)) return refusal;
  reach(Step::file_made, job);
  const std::string link = "/fd/" + std::to_string(fd);
  Refused refusal;
  if (!copy(job.library, process_folder(memory.pid()) + link)) {
    refusal = Refusal{"loader", "libsd could not be copied into it: " + std::string(std::strerror(errno)) + ".", ""};
  }
  reach(Step::file_written, job);
  const std::string path = "/proc/self" + link;
  std::uint64_t handle = 0;
  if (!refusal && !memory.write(visit.room(), path.c_str(), path.size() + 1)) refusal = gone();
  if (!refusal) refusal = visit.call(*loader, {number(visit.room()), RTLD_NOW | RTLD_LOCAL}, deadline, handle);
  long closed = 0;
  if (auto failed = visit.system_call({SYS_close, static_cast<std::uint64_t>(fd)}, deadline, closed);
      failed && !refusal)
    refusal = failed;
  if (refusal) return refusal;
  auto maps = handle != 0 ? read_maps(memory.pid()) : std::nullopt;
  if (maps) {
    std::erase_if(*maps, [](const Mapping& one) { return one.path.find(kName) == std::string::npos; });
    for (Image& image : exporting(memory, *maps, "sockdoc_libsd_present")) into.emplace(memory, image);
  }
  if (into) return std::nullopt;
  return Refusal{"loader", "Its loader did not take libsd: it has no /proc, or may not map code from memory.", ""};
}

std::optional<sockdoc_libsd_state> Libsd::state() const {
  const auto at = image_.symbol("sockdoc_libsd_present");
  const auto present = at ? memory_.value<std::uint64_t>(*at) : std::nullopt;
  return present ? memory_.value<sockdoc_libsd_state>(Address{*present}) : std::nullopt;
}

std::optional<arch::Pending> Libsd::pending() const {
  const auto call = image_.symbol("sockdoc_libsd_pending");
  const auto rest = image_.symbol("sockdoc_libsd_pending_rest");
  if (!call || !rest) return std::nullopt;
  return arch::Pending{*call, *rest};
}

std::uint32_t Libsd::mode() const {
  const auto now = state();
  return now ? now->mode : std::uint32_t{SOCKDOC_LIBSD_DISABLED};
}

bool Libsd::at_work() const { return mode() == SOCKDOC_LIBSD_PATCHED || mode() == SOCKDOC_LIBSD_INTERPOSED; }

bool Libsd::leaving() const {
  const auto now = state();
  return now && now->leaving != 0;
}

Refusal Libsd::refused() const {
  const auto now = state();
  if (!now || now->reason == nullptr) return {"failed", "libsd in it could not go on.", ""};
  std::string reason =
      "libsd in it could not go on: " + memory_.text(Address{reinterpret_cast<std::uint64_t>(now->reason)});
  const std::string name = memory_.text(Address{reinterpret_cast<std::uint64_t>(now->name)});
  if (!name.empty()) reason += " (" + name + ")";
  if (now->error != 0) reason += ": " + std::string(std::strerror(now->error));
  return {"failed", reason + ".", ""};
}

Refused Libsd::call(Visit& visit, const char* name, std::initializer_list<std::uint64_t> arguments,
                    const Deadline& deadline) {
  const auto function = image_.symbol(name);
  if (!function) return Refusal{"failed", "libsd in it is of another version.", "Restart the process."};
  std::uint64_t result = 0;
  if (auto refusal = visit.call(*function, arguments, deadline, result)) return refusal;
  if (static_cast<std::int32_t>(result) == 0) return std::nullopt;
  return refused();
}

Refused Libsd::attach(Visit& visit, const Job& job, const Deadline& deadline) {
  sockdoc_attach_config config{};
  config.version = SOCKDOC_ATTACH_VERSION;
  config.size = sizeof config;
  config.after_calls = job.after_calls;
  config.spin_us = job.spin_us;
  config.flags = SOCKDOC_ATTACH_BY_TRACER;
  // Where the process has other files, that path is another file, or none.
  const bool fits =
      put(config.monitor, job.monitor) && (!same_files(memory_.pid()) || put(config.library, job.library));
  if (!fits) return Refusal{"failed", "The path of the monitor or of libsd is too long.", ""};
  if (!memory_.set(visit.room(), config)) return gone();
  return call(visit, "sockdoc_libsd_attach", {number(visit.room())}, deadline);
}

Refused Libsd::sites(Visit& visit, const Deadline& deadline, std::vector<sockdoc_attach_site>& into) {
  constexpr std::size_t kMost = Visit::kRoom / sizeof(sockdoc_attach_site);
  const auto function = image_.symbol("sockdoc_libsd_sites");
  std::uint64_t count = 0;
  if (!function) return refused();
  if (auto refusal = visit.call(*function, {number(visit.room()), kMost}, deadline, count)) return refusal;
  into.resize(std::min<std::size_t>(static_cast<std::uint32_t>(count), kMost));
  const std::size_t size = into.size() * sizeof(sockdoc_attach_site);
  if (memory_.read(visit.room(), into.data(), size) != size) return gone();
  return std::nullopt;
}

Refused Libsd::write_trampolines(Visit& visit, const Deadline& deadline) {
  const auto function = image_.symbol("sockdoc_libsd_code");
  std::uint64_t unused = 0;
  if (!function) return refused();
  if (auto refusal = visit.call(*function, {number(visit.room())}, deadline, unused)) return refusal;
  const auto code = memory_.value<sockdoc_attach_code>(visit.room());
  constexpr std::uint64_t kMost = 1 << 16;
  if (!code || code->bytes > kMost) return gone();
  std::vector<std::uint8_t> bytes(code->bytes);
  if (memory_.read(Address{code->from}, bytes.data(), bytes.size()) != bytes.size()) return gone();
  if (!write_code(visit.standing(), memory_, Address{code->at}, bytes)) return gone();
  return std::nullopt;
}

/** Before the call: until that has ended, libsd takes no connection to a ring. */
Refused Libsd::apply(Visit& visit, std::span<const sockdoc_attach_site> sites, const EpollSets& sets,
                     const Deadline& deadline) {
  constexpr std::size_t kMost = Visit::kRoom / sizeof(std::int32_t);
  std::vector<std::int32_t> own;
  for (const std::vector<std::int32_t>& numbers : sets.own) {
    if (own.size() + numbers.size() <= kMost) own.insert(own.end(), numbers.begin(), numbers.end());
  }
  if (!memory_.write(visit.room(), own.data(), own.size() * sizeof(std::int32_t))) return gone();
  if (auto refusal = write_entries(visit.standing(), memory_, sites, true)) return refusal;
  auto refusal = call(visit, "sockdoc_libsd_apply", {number(visit.room()), own.size()}, deadline);
  if (refusal && visit.standing().stopped()) (void)write_entries(visit.standing(), memory_, sites, false);
  return refusal;
}

/** Behind the call: what arrives there from now on passes libsd by. */
Refused Libsd::undo(Visit& visit, std::span<const sockdoc_attach_site> sites, const Deadline& deadline) {
  if (auto refusal = call(visit, "sockdoc_libsd_undo", {}, deadline)) return refusal;
  return write_entries(visit.standing(), memory_, sites, false);
}

Refused Libsd::leave(Visit& visit, const Deadline& deadline, std::uint32_t& left) {
  if (!memory_.set(visit.room(), std::uint32_t{0})) return gone();
  if (auto refusal = call(visit, "sockdoc_libsd_leave", {number(visit.room())}, deadline)) return refusal;
  left = memory_.value<std::uint32_t>(visit.room()).value_or(0);
  return std::nullopt;
}

Refused Libsd::kept(Visit& visit, const Deadline& deadline, std::vector<sockdoc_attach_kept>& first,
                    std::uint64_t& count) {
  constexpr std::size_t kMost = 64;
  static_assert(kMost * sizeof(sockdoc_attach_kept) <= Visit::kRoom);
  const auto function = image_.symbol("sockdoc_libsd_kept");
  if (!function) return std::nullopt;
  if (auto refusal = visit.call(*function, {number(visit.room()), kMost}, deadline, count)) return refusal;
  count = static_cast<std::uint32_t>(count);
  first.resize(std::min<std::size_t>(count, kMost));
  const std::size_t size = first.size() * sizeof(sockdoc_attach_kept);
  if (memory_.read(visit.room(), first.data(), size) != size) return gone();
  return std::nullopt;
}

bool Libsd::keeps(Visit& visit, const Deadline& deadline) {
  std::vector<sockdoc_attach_kept> first;
  std::uint64_t count = 0;
  return !kept(visit, deadline, first, count) && count != 0;
}

}  // namespace sockdoc::inject
