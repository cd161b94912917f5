#include "settings/setting_file.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/netns.h"
#include "settings/answer.h"

namespace sockdoc {
namespace {

Status write_here(const SettingFileRequest& request) {
  const Fd fd(::open(request.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return errno_error("open " + request.path);
  if (!request.text) return Done{};
  ssize_t written = -1;
  do {
    written = ::write(fd.get(), request.text->data(), request.text->size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) return errno_error("write " + request.path);
  if (static_cast<std::size_t>(written) != request.text->size()) return Error{EINVAL, "write " + request.path};
  return Done{};
}

}  // namespace

std::string write_setting_file(const SettingFileRequest& request) {
  Status status = Done{};
  const Status entered = in_netns_to_write(request.netns, request.own_sysfs, [&] { status = write_here(request); });
  return write_answer(entered ? status : entered);
}

}  // namespace sockdoc
