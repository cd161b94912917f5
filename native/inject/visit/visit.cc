#include "inject/visit/visit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "inject/ptrace/code.h"
#include "inject/visit/rest.h"

namespace sockdoc::inject {
namespace {

// The memory that a visit maps, from below: code (and with it the end of the stack: it may not be written), stack,
// room, frame and mailbox.
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kCode = kPage;
constexpr std::uint64_t kRestAt = 256;  // in the code
constexpr std::uint64_t kStack = 256 * 1024;
constexpr std::uint64_t kFrame = 32 * 1024;
constexpr std::uint64_t kMailbox = 64;
constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }
/** Not those of faults: one that came while it is blocked would cost the program its handler. */
constexpr std::uint64_t kBlocked =
    ~(bit(SIGILL) | bit(SIGTRAP) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGSEGV) | bit(SIGSYS));
constexpr std::uint64_t kRegion = kCode + kStack + Visit::kRoom + kFrame;

}  // namespace

std::optional<EntryPoints> find_entry_points(const Image& libc) {
  EntryPoints points;
  const auto find = [&](Address& into, const char* name) {
    const auto at = libc.symbol(name);
    if (at) into = *at;
    return at.has_value();
  };
  const auto restorer = libc.code(arch::restorer_code());
  const bool found = restorer && find(points.map, "mmap") && find(points.unmap, "munmap") &&
                     find(points.system_call, "syscall") && find(points.errno_location, "__errno_location");
  if (!found) return std::nullopt;
  points.restorer = *restorer;
  points.code_end = libc.code_end();
  return points;
}

Address Visit::room() const { return region_ + kCode + kStack; }

Refusal Visit::failed(const char* what) const {
  if (host_.tracee.condition() == Tracee::Condition::ended || host_.tracee.condition() == Tracee::Condition::executed)
    return gone();
  return {"failed", std::string(what) + ".", ""};
}

/** Registers are set last: until then nothing has happened, and from then on the thread comes back by itself. */
bool Visit::prepare_own_stack(Address function, std::span<const std::uint64_t> arguments) {
  const arch::Frame frame = arch::return_frame(home_, libc_.restorer, Address{home_.registers.rsp - arch::kRedZone});
  return memory_.write_stack(frame.begin, frame.bytes) &&
         host_.tracee.set(arch::calling(home_.registers, function, arguments, frame.at)) &&
         host_.tracee.block(kBlocked);
}

/** A function of libc that does no more than one system call; what that gave is seen at its end. */
Refused Visit::by_own_stack(Address function, std::initializer_list<std::uint64_t> arguments, long number,
                            const Deadline& deadline, long& result) {
  if (!prepare_own_stack(function, {arguments.begin(), arguments.size()}))
    return failed("Its stack has no room for a call");
  bool inside = false;
  long current = -1;
  for (;;) {
    host_.tracee.resume_to_system_call();
    if (!host_.tracee.await_stop(deadline))
      return Refusal{"timeout", "A call in it did not end in time.", "Try again later."};
    if (host_.tracee.condition() == Tracee::Condition::interrupted) continue;
    if (host_.tracee.condition() != Tracee::Condition::system_call) return back_home("A call in it ended in a fault");
    const auto registers = host_.tracee.registers();
    if (!registers) return failed("Its registers cannot be read");
    inside = !inside;
    if (inside) current = static_cast<long>(registers->orig_rax);
    if (inside) continue;
    if (current == number) result = static_cast<long>(registers->rax);
    if (current == arch::kSigreturn) return std::nullopt;
  }
}

/** Where the call that was cut short goes on. */
void Visit::rest_at(const arch::Pending& code) {
  const auto& now = host_.registers;
  const auto to = arch::redirected(now, code, Address{now.rip}, host_.call.done, host_.waited_ms);
  go_on_at(to.alone, to.by_kernel);
}

/** Where libsd is not there to finish it. False: it does not fit, or for such a call there is no code. */
bool Visit::finish_at(Address at, Address end) {
  // So that what follows sees where this ends.
  constexpr std::uint64_t kEnd = ~std::uint64_t{0};
  const auto code = arch::rest_code();
  const auto rest = rest_of(memory_, arch::call_in(host_.registers), host_.call.done, at + code.size());
  if (!rest || number(at) + code.size() + rest->size() + sizeof kEnd > number(end)) return false;
  std::vector<std::uint8_t> bytes(code.begin(), code.end());
  bytes.insert(bytes.end(), rest->begin(), rest->end());
  bytes.insert(bytes.end(), sizeof kEnd, 0xff);
  if (!write_code(host_.tracee, memory_, at, bytes)) return false;
  rest_at({at, at});
  return true;
}

/** Behind what was written there before, in which a thread may be. Elsewhere than in zeros nothing is written. */
bool Visit::finish_behind_libc() {
  const std::uint64_t begin = number(libc_.code_end);
  const std::uint64_t end = (begin + kPage - 1) & ~(kPage - 1);
  std::vector<std::uint8_t> bytes(end - begin);
  const bool possible = host_.tracee.stopped() && memory_.has_stack(Address{host_.registers.rsp}, kPage) &&
                        memory_.read(libc_.code_end, bytes.data(), bytes.size()) == bytes.size();
  if (!possible) return false;
  while (!bytes.empty() && bytes.back() == 0) bytes.pop_back();
  constexpr std::uint64_t kAlign = 16;
  const std::uint64_t at = (begin + bytes.size() + kAlign - 1) & ~(kAlign - 1);
  if (!finish_at(Address{at}, Address{end})) return false;
  host_.settled = true;
  if (state_ != State::outside || !host_.tracee.set(home_.registers)) return true;
  constexpr int kPatienceMs = 1000;
  let_go(Deadline::of_taking_back_in_ms(kPatienceMs));
  return true;
}

/** The memory, and the code in it. */
Refused Visit::map(const Deadline& deadline) {
  long region = 0;
  constexpr std::uint64_t kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  if (auto refusal = by_own_stack(libc_.map, {0, kRegion, PROT_READ | PROT_WRITE, kAnonymous, ~std::uint64_t{0}, 0},
                                  SYS_mmap, deadline, region)) {
    return refusal;
  }
  if (region < 0 && region > -4096)
    return Refusal{"memory", std::string("It gets no memory: ") + std::strerror(static_cast<int>(-region)) + ".", ""};
  region_ = Address{static_cast<std::uint64_t>(region)};
  state_ = State::inside;
  // Executable from the beginning: memory that was writable may not become so everywhere.
  long code = 0;
  if (auto refusal = by_own_stack(
          libc_.map, {number(region_), kCode, PROT_READ | PROT_EXEC, kAnonymous | MAP_FIXED, ~std::uint64_t{0}, 0},
          SYS_mmap, deadline, code)) {
    return refusal;
  }
  if (code != region)
    return Refusal{"no-exec-memory", "It gets no executable memory, as SELinux can forbid it.",
                   "Start it under sockdoc run."};
  if (!write_code(host_.tracee, memory_, region_, arch::call_code())) return failed("Its memory cannot be written");
  return std::nullopt;
}

Refused Visit::enter(const std::optional<arch::Pending>& libsd, const Deadline& deadline) {
  const auto home = host_.tracee.context(standing_alone(host_.call, host_.registers, host_.waited_ms));
  if (!home) return failed("Its registers cannot be read");
  home_ = *home;
  if (host_.call.broken()) let_go_ = mended_after_others(host_.call, host_.registers, host_.waited_ms);
  const bool cut_short = host_.call.way == BrokenCall::Way::partly;
  if (cut_short && libsd) rest_at(*libsd);
  host_.settled = true;
  if (!host_.tracee.set(home_.registers)) return failed("Its registers cannot be set");
  auto refusal = map(deadline);
  if (cut_short && !libsd) {
    code_stays_ = !refusal && finish_at(region_ + kRestAt, region_ + kCode);
    if (!code_stays_) (void)finish_behind_libc();
  }
  if (refusal) return refusal;
  std::uint64_t at = 0;
  if (auto failure = call(libc_.errno_location, {}, deadline, at)) return failure;
  errno_at_ = Address{at};
  errno_value_ = memory_.value<std::int32_t>(errno_at_).value_or(0);
  return std::nullopt;
}

Refused Visit::await_result(const Deadline& deadline) {
  const Address mailbox = region_ + (kRegion - kMailbox);
  for (int i = 0;; i++) {
    const auto answer = memory_.value<arch::Mailbox>(mailbox);
    if (answer && answer->done != 0) return std::nullopt;
    const auto condition = host_.tracee.look();
    if (condition == Tracee::Condition::interrupted) {
      host_.tracee.resume();
    } else if (condition != Tracee::Condition::running) {
      return failed("A call in it was broken off");
    }
    if (deadline.passed()) return Refusal{"timeout", "A call in it did not end in time.", "Try again later."};
    nap(i < 20 ? 10'000 : 100'000);
  }
}

Refused Visit::call(Address function, std::initializer_list<std::uint64_t> arguments, const Deadline& deadline,
                    std::uint64_t& result) {
  if (state_ != State::inside) return failed("The thread that makes calls has gone on");
  const Address mailbox = region_ + (kRegion - kMailbox);
  const arch::Frame frame = arch::return_frame(home_, libc_.restorer, mailbox);
  const Address stack = room();
  arch::Mailbox empty;
  const Piece pieces[] = {{mailbox, &empty, sizeof empty},
                          {frame.begin, const_cast<std::uint8_t*>(frame.bytes.data()), frame.bytes.size()}};
  const bool ready =
      memory_.write_all(pieces) &&
      host_.tracee.set(arch::calling_by(home_.registers, region_, function, {arguments.begin(), arguments.size()},
                                        mailbox, frame.at, stack)) &&
      host_.tracee.block(kBlocked);
  if (!ready) return failed("Its registers cannot be set");
  host_.tracee.resume();
  auto refusal = await_result(deadline);
  if (host_.tracee.condition() == Tracee::Condition::running) {
    host_.tracee.interrupt();
    constexpr int kPatienceMs = 2000;
    host_.tracee.await_stop(Deadline::in_ms(kPatienceMs));
  }
  if (host_.tracee.condition() == Tracee::Condition::signal) return back_home("A call in it ended in a fault");
  const auto registers = host_.tracee.registers();
  const bool waits = registers && registers->rip >= number(region_) && registers->rip < number(region_) + kCode;
  // It is in the middle of the call still: taken out of it, it might leave a lock taken for ever. It ends the call
  // alone and goes on. Or it has done so already, since nobody came for the result.
  if (refusal || !waits) {
    state_ = State::escaped;
    host_.settled = false;
    return refusal ? refusal : failed("It did not wait for us");
  }
  result = memory_.value<arch::Mailbox>(mailbox).value_or(arch::Mailbox{}).result;
  return std::nullopt;
}

Refusal Visit::back_home(const char* why) {
  host_.tracee.drop_signal();
  (void)host_.tracee.restore(home_);
  state_ = State::outside;
  return failed(why);
}

Refused Visit::system_call(std::initializer_list<std::uint64_t> number_and_arguments, const Deadline& deadline,
                           long& result) {
  std::uint64_t got = 0;
  if (auto refusal = call(libc_.system_call, number_and_arguments, deadline, got)) return refusal;
  result = static_cast<long>(got);
  if (result == -1) result = -memory_.value<std::int32_t>(errno_at_).value_or(EIO);
  return std::nullopt;
}

/** A sleep goes on with what was left of it when the visit began. */
void Visit::take_off_sleep() const {
  const auto at = left_of_sleep(host_.call, host_.registers);
  auto left = at ? memory_.value<timespec>(*at) : std::nullopt;
  constexpr std::int64_t kMostSeconds = 4'000'000'000;
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (!left || left->tv_sec < 0 || left->tv_sec > kMostSeconds || left->tv_nsec < 0 || left->tv_nsec >= kSecond) return;
  const std::int64_t ns = std::max<std::int64_t>(0, left->tv_sec * kSecond + left->tv_nsec - (now_ns() - begin_));
  left->tv_sec = ns / kSecond;
  left->tv_nsec = ns % kSecond;
  (void)memory_.set(*at, *left);
}

void Visit::leave() {
  if (state_ != State::inside) return;
  state_ = State::outside;
  if (!host_.tracee.stopped()) return;
  take_off_sleep();
  if (number(errno_at_) != 0) (void)memory_.set(errno_at_, errno_value_);
  long unmapped = 0;
  constexpr int kPatienceMs = 1000;
  const Deadline deadline = Deadline::in_ms(kPatienceMs);
  const std::uint64_t stays = code_stays_ ? kCode : 0;
  if (!by_own_stack(libc_.unmap, {number(region_) + stays, kRegion - stays}, SYS_munmap, deadline, unmapped))
    let_go(deadline);
}

/** On its way out of the kernel, where that decides between a signal and the call. */
void Visit::let_go(const Deadline& deadline) {
  if (!let_go_) return;
  host_.tracee.interrupt();
  host_.tracee.resume();
  if (!host_.tracee.await_stop(deadline) || host_.tracee.condition() != Tracee::Condition::interrupted) return;
  const auto now = host_.tracee.registers();
  if (now && now->rip == home_.registers.rip && now->rsp == home_.registers.rsp) (void)host_.tracee.set(*let_go_);
}

}  // namespace sockdoc::inject
