#pragma once

#include <span>
#include <string>

#include "abi/attach.h"
#include "base/json.h"

namespace sockdoc::inject {

/** What kept a process from being left, as libsd in it says: a member `kept` of its document (docs/attach.md). */
void write_kept(Json& json, std::span<const sockdoc_attach_kept> kept);

/** The same as a sentence, about the first of `count`. */
std::string kept_sentence(const sockdoc_attach_kept& first, std::uint64_t count);

}  // namespace sockdoc::inject
