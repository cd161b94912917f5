#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inject/process/facts.h"
#include "inject/target/memory.h"

namespace sockdoc::inject {

/** Whether rest_of() can tell how a call goes on that was cut short: not where it takes messages, or very many parts.
 */
bool has_rest(const Memory& memory, const SystemCall& call);

/**
 * What arch::rest_code() needs behind it to finish `call`, of which `done` bytes were moved: an arch::Rest and, of a
 * call with a vector, the parts that are left. `at` is where it will lie. Nothing where has_rest() is false.
 */
std::optional<std::vector<std::uint8_t>> rest_of(const Memory& memory, const SystemCall& call, std::uint64_t done,
                                                 Address at);

}  // namespace sockdoc::inject
