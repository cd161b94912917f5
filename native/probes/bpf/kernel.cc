#include "probes/bpf/kernel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <mutex>

#include "base/fd.h"

namespace sockdoc {
namespace {

constexpr const char* kBtf = "/sys/kernel/btf/vmlinux";
constexpr const char* kSymbols = "/proc/kallsyms";
constexpr std::size_t kMaxFileBytes = 64u << 20;
constexpr std::size_t kPieceBytes = 256u << 10;

/** Reads a file piece by piece, to its end or kMaxFileBytes. */
Status read_pieces(const char* path, const std::function<void(std::string_view)>& take) {
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(path);
  std::string piece(kPieceBytes, '\0');
  for (std::size_t taken = 0; taken < kMaxFileBytes;) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(path);
    if (got == 0) break;
    take(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
    taken += static_cast<std::size_t>(got);
  }
  return Done{};
}

/** Linux 6.16 lets the kernel's own copy be mapped: no bytes are copied, and the pages are not ours. */
std::optional<Result<Btf>> map_btf() {
  const Fd fd(::open(kBtf, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || info.st_size <= 0) return std::nullopt;
  const auto length = static_cast<std::size_t>(info.st_size);
  void* at = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (at == MAP_FAILED) return std::nullopt;
  std::shared_ptr<const void> keep(at, [length](void* address) { ::munmap(address, length); });
  return Btf::parse(std::string_view(static_cast<const char*>(at), length), std::move(keep));
}

Result<Btf> read_btf() {
  if (auto mapped = map_btf()) return std::move(*mapped);
  std::string data;
  if (const Status read = read_pieces(kBtf, [&](std::string_view piece) { data += piece; }); !read) return read.error();
  return Btf::parse(std::move(data));
}

/** Changes when a module is loaded or unloaded; empty for a kernel without modules. */
std::string modules() {
  std::string text;
  const Status read = read_pieces("/proc/modules", [&](std::string_view piece) { text += piece; });
  return read ? text : std::string();
}

}  // namespace

Result<std::shared_ptr<const Btf>> kernel_btf() {
  static std::mutex mutex;
  static std::shared_ptr<const Btf> kept;
  const std::scoped_lock lock(mutex);
  if (kept) return kept;
  auto btf = read_btf();
  if (!btf) return btf.error();
  kept = std::make_shared<const Btf>(std::move(*btf));
  return kept;
}

Result<std::shared_ptr<const Symbols>> kernel_symbols() {
  static std::mutex mutex;
  static std::shared_ptr<const Symbols> kept;
  static std::string kept_for;
  const std::scoped_lock lock(mutex);
  std::string now = modules();
  if (kept && kept_for == now) return kept;
  auto symbols = std::make_shared<Symbols>();
  if (const Status read = read_pieces(kSymbols, [&](std::string_view piece) { symbols->add(piece); }); !read) {
    return read.error();
  }
  symbols->finish();
  std::shared_ptr<const Symbols> fresh = std::move(symbols);
  if (fresh->empty()) return fresh;
  kept = fresh;
  kept_for = std::move(now);
  return fresh;
}

}  // namespace sockdoc
