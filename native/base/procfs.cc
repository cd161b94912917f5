#include "base/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sockdoc {
namespace {

/** What getdents64 writes (getdents(2)); glibc's dirent64 has the same layout, with a name of fixed length. */
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
  char name[1];
};

}  // namespace

std::optional<std::string_view> read_small(int directory, const char* path, std::span<char> buffer) {
  const Fd fd(::openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return std::nullopt;
  std::size_t length = 0;
  while (length < buffer.size()) {
    const ssize_t got = ::read(fd.get(), buffer.data() + length, buffer.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  return std::string_view(buffer.data(), length);
}

std::optional<std::string_view> read_link(int directory, const char* path, std::span<char> buffer) {
  const ssize_t length = ::readlinkat(directory, path, buffer.data(), buffer.size());
  if (length < 0) return std::nullopt;
  return std::string_view(buffer.data(), static_cast<std::size_t>(length));
}

std::optional<std::uint64_t> inode_of_link(std::string_view target, std::string_view kind) {
  if (!target.starts_with(kind)) return std::nullopt;
  target.remove_prefix(kind.size());
  if (!target.starts_with(":[") || !target.ends_with(']')) return std::nullopt;
  return parse_number<std::uint64_t>(target.substr(2));
}

std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return taken;
}

std::string_view line_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    const std::size_t start = line.find_first_not_of(" \t");
    return start == std::string_view::npos ? std::string_view() : line.substr(start);
  }
  return {};
}

FolderReader::FolderReader(int directory, const char* path)
    : fd_(::openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

bool FolderReader::fill() {
  if (!fd_.valid()) return false;
  const long got = ::syscall(SYS_getdents64, fd_.get(), buffer_, sizeof buffer_);
  failed_ = got < 0;
  length_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  at_ = 0;
  return got > 0;
}

const char* FolderReader::next() {
  if (at_ + offsetof(Entry, name) >= length_) return nullptr;
  Entry entry;
  std::memcpy(&entry, buffer_ + at_, sizeof entry);
  const char* name = buffer_ + at_ + offsetof(Entry, name);
  at_ += entry.length;
  return name;
}

}  // namespace sockdoc
