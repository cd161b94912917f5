#pragma once

#include <string>

namespace sockdoc {

/**
 * What only a system call can tell about this kernel and CPU. Every attempt is undone at once and changes nothing: a
 * ring, a BPF map and a socket are made and closed. Writes {"features":{name:{"available":bool,"detail":text}},
 * "hypervisor":text, "pageBytes":n, "gaps":[…]}. A feature that may not be tried is a gap, not a "no". "hypervisor" is
 * what CPUID says (x86 only): "" on bare metal.
 */
std::string read_features();

}  // namespace sockdoc
