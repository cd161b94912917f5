#pragma once

#include <string_view>

namespace sockdoc {

/** All of it, however often a signal breaks it off. False with errno when nobody takes the rest. */
bool write_all(int fd, std::string_view text);

}  // namespace sockdoc
