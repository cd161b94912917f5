#include "settings/answer.h"

#include "base/json.h"

namespace sockdoc {

std::string write_answer(const Status& status) {
  Json json;
  json.begin_object();
  if (!status) {
    const char* name = strerrorname_np(status.error().code);
    json.field("errno", std::string(name != nullptr ? name : std::to_string(status.error().code).c_str()));
    json.field("what", status.error().what);
  }
  return json.end_object().take();
}

}  // namespace sockdoc
