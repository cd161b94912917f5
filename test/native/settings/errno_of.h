#pragma once

#include <string>

#include "../json_reader.h"

namespace sockdoc {

/** The name of the error in an answer of write_answer(), "" for one that says it was done. */
inline std::string errno_of(const std::string& answer) {
  const JsonValue value = JsonReader::read(answer);
  return value.has("errno") ? value["errno"].text : "";
}

}  // namespace sockdoc
