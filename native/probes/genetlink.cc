#include "probes/genetlink.h"

#include <linux/genetlink.h>

namespace sockdoc {

Result<std::uint16_t> generic_family(NetlinkSocket& generic, std::string_view name) {
  NetlinkRequest request = generic_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
  request.attribute_text(CTRL_ATTR_FAMILY_NAME, name);
  std::optional<Attribute> id;
  std::uint16_t number = 0;
  const auto answer = generic.request(request, [&](std::uint16_t, Bytes payload) {
    id = generic_attributes(payload).find(CTRL_ATTR_FAMILY_ID);
    if (id) number = static_cast<std::uint16_t>(id->number());
  });
  if (!answer) return answer.error();
  if (!id) return Error{ENOENT, "generic netlink family " + std::string(name)};
  return number;
}

NetlinkRequest generic_request(std::uint16_t family, std::uint8_t command, std::uint8_t version, std::uint16_t flags) {
  NetlinkRequest request(family, flags);
  request.append(genlmsghdr{command, version, 0});
  return request;
}

Attributes generic_attributes(Bytes payload) { return Attributes(after(payload, sizeof(genlmsghdr))); }

}  // namespace sockdoc
