#include "inject/seccomp/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>

namespace sockdoc::inject {
namespace {

/** Paths through a filter that are followed before it counts as unclear. Each jump by something unknown doubles them.
 */
constexpr int kMostSteps = 1 << 16;

struct Word {
  bool known = false;
  std::uint32_t value = 0;
};

struct Machine {
  std::size_t at = 0;
  Word accumulator;
  Word index;
  std::array<Word, BPF_MEMWORDS> memory{};
};

Answer answer_of(Word action) {
  if (!action.known) return Answer::unclear;
  switch (action.value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
      return Answer::allows;
    case SECCOMP_RET_ERRNO:
      return Answer::fails;
    case SECCOMP_RET_USER_NOTIF:
    case SECCOMP_RET_TRACE:
      return Answer::unclear;
    default:
      return Answer::ends;
  }
}

Word compute(std::uint16_t operation, Word a, Word b) {
  // Nothing of it is left, whatever it was.
  if (operation == BPF_AND && ((a.known && a.value == 0) || (b.known && b.value == 0))) return {true, 0};
  if (!a.known || (!b.known && operation != BPF_NEG)) return {};
  switch (operation) {
    case BPF_ADD:
      return {true, a.value + b.value};
    case BPF_SUB:
      return {true, a.value - b.value};
    case BPF_MUL:
      return {true, a.value * b.value};
    case BPF_DIV:
      return {true, a.value / b.value};
    case BPF_AND:
      return {true, a.value & b.value};
    case BPF_OR:
      return {true, a.value | b.value};
    case BPF_XOR:
      return {true, a.value ^ b.value};
    case BPF_LSH:
      return b.value > 31 ? Word{} : Word{true, a.value << b.value};
    case BPF_RSH:
      return b.value > 31 ? Word{} : Word{true, a.value >> b.value};
    case BPF_NEG:
      return {true, 0 - a.value};
    default:
      return {};
  }
}

bool holds(std::uint16_t condition, std::uint32_t a, std::uint32_t b) {
  switch (condition) {
    case BPF_JEQ:
      return a == b;
    case BPF_JGT:
      return a > b;
    case BPF_JGE:
      return a >= b;
    default:
      return (a & b) != 0;
  }
}

class Question {
 public:
  Question(std::span<const sock_filter> filter, int number, Arguments arguments)
      : filter_(filter), number_(number), arguments_(arguments) {}

  Answer from(Machine machine);

 private:
  [[nodiscard]] Word data(std::uint32_t offset) const;
  [[nodiscard]] Word load(const sock_filter& step, const Machine& machine) const;
  Answer jump(const sock_filter& step, Word other, Machine& machine);

  std::span<const sock_filter> filter_;
  int number_;
  Arguments arguments_;
  int steps_ = 0;
};

/** A word of struct seccomp_data. */
Word Question::data(std::uint32_t offset) const {
  constexpr std::uint32_t kArguments = offsetof(seccomp_data, args);
  if (offset == offsetof(seccomp_data, nr)) return {true, static_cast<std::uint32_t>(number_)};
  if (offset == offsetof(seccomp_data, arch)) return {true, AUDIT_ARCH_X86_64};
  if (offset < kArguments || offset >= sizeof(seccomp_data)) return {};  // where the call is made from
  const sockdoc_argument& argument = arguments_[(offset - kArguments) / sizeof argument.value];
  const bool high = (offset - kArguments) % sizeof argument.value != 0;
  return {argument.known > (high ? 1U : 0U), static_cast<std::uint32_t>(argument.value >> (high ? 32 : 0))};
}

Word Question::load(const sock_filter& step, const Machine& machine) const {
  switch (BPF_MODE(step.code)) {
    case BPF_IMM:
      return {true, step.k};
    case BPF_ABS:
      return data(step.k);
    case BPF_LEN:
      return {true, sizeof(seccomp_data)};
    case BPF_MEM:
      return step.k < BPF_MEMWORDS ? machine.memory[step.k] : Word{};
    default:
      return {};
  }
}

/** The kernel has looked at it: it only jumps forwards, and ends in a return. */
Answer Question::from(Machine machine) {
  Answer worst = Answer::allows;
  while (machine.at < filter_.size()) {
    if (++steps_ > kMostSteps) return Answer::unclear;
    const sock_filter& step = filter_[machine.at++];
    const Word operand = BPF_SRC(step.code) == BPF_X ? machine.index : Word{true, step.k};
    switch (BPF_CLASS(step.code)) {
      case BPF_LD:
        machine.accumulator = load(step, machine);
        break;
      case BPF_LDX:
        machine.index = load(step, machine);
        break;
      case BPF_ST:
      case BPF_STX:
        if (step.k >= BPF_MEMWORDS) return Answer::unclear;
        machine.memory[step.k] = BPF_CLASS(step.code) == BPF_ST ? machine.accumulator : machine.index;
        break;
      case BPF_ALU:
        // To divide by nothing ends the filter with 0, which ends the thread.
        if (BPF_OP(step.code) == BPF_DIV && (!operand.known || operand.value == 0)) return Answer::ends;
        machine.accumulator = compute(BPF_OP(step.code), machine.accumulator, operand);
        break;
      case BPF_JMP:
        worst = std::max(worst, jump(step, operand, machine));
        break;
      case BPF_RET:
        return std::max(worst, answer_of(BPF_RVAL(step.code) == BPF_A ? machine.accumulator : Word{true, step.k}));
      default:
        BPF_MISCOP(step.code) == BPF_TAX ? machine.index = machine.accumulator : machine.accumulator = machine.index;
    }
  }
  return Answer::unclear;
}

/** Goes on one way. The other one is followed too where it may be taken: its answer, else `allows`. */
Answer Question::jump(const sock_filter& step, Word other, Machine& machine) {
  const std::uint16_t condition = BPF_OP(step.code);
  const Word a = machine.accumulator;
  if (condition == BPF_JA) {
    machine.at += step.k;
  } else if (a.known && other.known) {
    machine.at += holds(condition, a.value, other.value) ? step.jt : step.jf;
  } else {
    Machine taken = machine;
    taken.at += step.jt;
    machine.at += step.jf;
    if (step.jt != step.jf) return from(taken);
  }
  return Answer::allows;
}

}  // namespace

Answer ask_filter(std::span<const sock_filter> filter, int number, Arguments arguments) {
  return Question(filter, number, arguments).from({});
}

}  // namespace sockdoc::inject
