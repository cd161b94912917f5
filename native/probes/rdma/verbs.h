#pragma once

#include "base/gaps.h"
#include "base/json.h"

namespace sockdoc {

/**
 * What libibverbs says of the devices, as one value: {"library"?, "error"?, "devices"?:[{"name","error"?,"maxima"?,
 * "ports"?:[{"port","activeMtu","maxMtu"}]}]}. The library is loaded at run time and devices are only looked for when
 * `devices_expected`: a host without any must not load providers, nor the kernel modules that they ask for.
 * Opening a device takes a context of it for a moment and needs write permission on /dev/infiniband/uverbsN.
 */
void write_verbs(Json& json, bool devices_expected);

}  // namespace sockdoc
