#include "inject/arch/x86_64.h"

#include <cpuid.h>
#include <ucontext.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

extern "C" {
extern const std::uint8_t sockdoc_call_code[];
extern const std::uint8_t sockdoc_call_code_end[];
extern const std::uint8_t sockdoc_rest_code[];
extern const std::uint8_t sockdoc_rest_code_end[];
}

// rbx: the function; r12: the mailbox; r13: the stack pointer that rt_sigreturn wants. All three are the callee's to
// keep.
asm(R"(
.pushsection .rodata
.globl sockdoc_call_code
.hidden sockdoc_call_code
.globl sockdoc_call_code_end
.hidden sockdoc_call_code_end
sockdoc_call_code:
  call *%rbx
  mov %rax, 8(%r12)
  movl $1, (%r12)
  mov $202, %eax
  mov %r12, %rdi
  mov $128, %esi
  mov $1, %edx
  lea 16(%r12), %r10
  syscall
  mov %r13, %rsp
  mov $15, %eax
  syscall
sockdoc_call_code_end:
.popsection
)");

// rcx: where it goes on; r11: how much had been moved, in its low half. Behind another handler of a signal than one
// that lets calls be made again the kernel goes on at the second instruction (see preload/attach/pending.cc).
asm(R"(
.pushsection .rodata
.globl sockdoc_rest_code
.hidden sockdoc_rest_code
.globl sockdoc_rest_code_end
.hidden sockdoc_rest_code_end
.balign 8
sockdoc_rest_code:
  jmp 1f
  mov %r11d, %eax
  jmp *%rcx
1:
  lea -128(%rsp), %rsp
  pushfq
  push %rcx
  push %r11
  push %r9
  push %r8
  push %r10
  push %rdx
  push %rsi
  push %rdi
  lea sockdoc_rest_code_end(%rip), %rax
  pushq 104(%rax)
  pushq 96(%rax)
  pushq 88(%rax)
  pushq 80(%rax)
  pushq 72(%rax)
  pushq 64(%rax)
  pushq 56(%rax)
  mov 8(%rax), %rdi
  mov 16(%rax), %rsi
  mov 24(%rax), %rdx
  mov 32(%rax), %r10
  mov 40(%rax), %r8
  mov 48(%rax), %r9
  cmpq $0, 112(%rax)
  cmovne %rsp, %rsi
  mov (%rax), %rax
  syscall
  xor %ecx, %ecx
  test %rax, %rax
  cmovs %rcx, %rax
  lea 56(%rsp), %rsp
  pop %rdi
  pop %rsi
  pop %rdx
  pop %r10
  pop %r8
  pop %r9
  pop %r11
  mov %r11d, %r11d
  add %r11, %rax
  pop %rcx
  popfq
  lea 128(%rsp), %rsp
  jmp *%rcx
.balign 8
sockdoc_rest_code_end:
.popsection
)");

namespace sockdoc::inject::arch {
namespace {

constexpr std::uint16_t kSystemCall = 0x050f;
constexpr std::uint64_t kTrap = 0x100;
constexpr std::uint64_t kDirection = 0x400;
constexpr std::uint32_t kXstateMagic1 = 0x46505853;  // asm/sigcontext.h
constexpr std::uint32_t kXstateMagic2 = 0x46505845;
constexpr std::uint64_t kTiles = 3ULL << 17;  // AMX: only in frames of programs that asked for it
constexpr std::size_t kSoftwareBytes = 464;   // struct _fpx_sw_bytes within the legacy area
constexpr std::size_t kHeader = 512;
constexpr std::size_t kHeaderEnd = 576;

struct SoftwareBytes {
  std::uint32_t magic1;
  std::uint32_t extended_size;
  std::uint64_t features;
  std::uint32_t size;
  std::uint32_t padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

std::uint64_t enabled_features() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

/** Of the standard format (Intel SDM volume 1, 13.4). */
std::size_t size_of(std::uint64_t features) {
  std::size_t size = kHeaderEnd;
  for (unsigned i = 2; i < 63; i++) {
    if ((features >> i & 1) == 0) continue;
    unsigned bytes = 0, offset = 0, c = 0, d = 0;
    __cpuid_count(0xd, i, bytes, offset, c, d);
    size = std::max<std::size_t>(size, offset + bytes);
  }
  return size;
}

std::vector<std::uint8_t> vector_frame(std::vector<std::uint8_t> vectors) {
  if (vectors.size() < kHeaderEnd) return {};
  std::uint64_t used = 0;
  std::memcpy(&used, vectors.data() + kHeader, sizeof used);
  std::uint64_t features = enabled_features();
  if ((used & kTiles) == 0) features &= ~kTiles;
  const std::size_t size = std::min(size_of(features), vectors.size());
  vectors.resize(size + sizeof kXstateMagic2);
  const SoftwareBytes software{
      kXstateMagic1, static_cast<std::uint32_t>(vectors.size()), features, static_cast<std::uint32_t>(size), {}};
  std::memcpy(vectors.data() + kSoftwareBytes, &software, sizeof software);
  std::memcpy(vectors.data() + size, &kXstateMagic2, sizeof kXstateMagic2);
  return vectors;
}

/** What the kernel reads of a ucontext_t: glibc's has room for more signals. */
constexpr std::size_t kContextBytes = offsetof(ucontext_t, uc_sigmask) + sizeof(std::uint64_t);

void fill(ucontext_t& into, const Context& context, std::uint64_t vectors_at) {
  constexpr unsigned long kFlags = 7;  // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
  constexpr int kNoSuchMode = 0x1234;  // refused, and so the thread keeps its alternate stack
  const Registers& from = context.registers;
  into.uc_flags = kFlags;
  into.uc_stack.ss_flags = kNoSuchMode;
  auto& to = into.uc_mcontext.gregs;
  const auto set = [&](int index, unsigned long long value) { to[index] = static_cast<greg_t>(value); };
  set(REG_R8, from.r8), set(REG_R9, from.r9), set(REG_R10, from.r10), set(REG_R11, from.r11);
  set(REG_R12, from.r12), set(REG_R13, from.r13), set(REG_R14, from.r14), set(REG_R15, from.r15);
  set(REG_RDI, from.rdi), set(REG_RSI, from.rsi), set(REG_RBP, from.rbp), set(REG_RBX, from.rbx);
  set(REG_RDX, from.rdx), set(REG_RAX, from.rax), set(REG_RCX, from.rcx), set(REG_RSP, from.rsp);
  set(REG_RIP, from.rip), set(REG_EFL, from.eflags);
  set(REG_CSGSFS, (from.cs & 0xffff) | (from.ss & 0xffff) << 48);
  into.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(vectors_at);
  std::memcpy(&into.uc_sigmask, &context.mask, sizeof context.mask);
}

}  // namespace

bool is_system_call(const Memory& memory, Address at) {
  const auto bytes = memory.value<std::uint16_t>(at);
  return bytes && *bytes == kSystemCall;
}

bool behind_system_call(const Memory& memory, const Registers& registers) {
  if (static_cast<long>(registers.orig_rax) < 0) return false;
  const auto code = memory.value<std::uint16_t>(Address{registers.rip - kSystemCallBytes});
  // Where it does not come what a stop has broken off is to be mended all the same.
  return code ? *code == kSystemCall : memory.access().stalled().has_value();
}

bool may_begin(const Registers& registers) {
  // What the kernel has there until the call gives something else.
  return static_cast<long>(registers.orig_rax) >= 0 && static_cast<long>(registers.rax) == -ENOSYS;
}

SystemCall call_in(const Registers& registers) {
  const Registers& of = registers;
  return {static_cast<long>(of.orig_rax), {of.rdi, of.rsi, of.rdx, of.r10, of.r8, of.r9}, of.rsp, of.rip};
}

std::optional<long> restarted_number(const Memory& memory, Address behind) {
  constexpr std::uint8_t kMoveToEax = 0xb8;
  std::uint8_t code[7];
  if (memory.read(Address{number(behind) - sizeof code}, code, sizeof code) != sizeof code) return std::nullopt;
  if (code[0] != kMoveToEax || code[5] != 0x0f || code[6] != 0x05) return std::nullopt;
  std::uint32_t result = 0;
  std::memcpy(&result, code + 1, sizeof result);
  return result;
}

bool kernel_restarts(long result) { return result == -512 || result == -513 || result == -514 || result == -516; }

Registers not_begun(Registers registers) {
  constexpr long kAlways = -513;  // ERESTARTNOINTR
  registers.rax = static_cast<unsigned long long>(kAlways);
  return registers;
}

Registers again(Registers registers) {
  registers.rip -= kSystemCallBytes;
  registers.rax = registers.orig_rax;
  registers.orig_rax = ~0ULL;
  return registers;
}

Registers by_kernel(Registers registers) {
  constexpr long kNoHandler = -514;  // ERESTARTNOHAND
  constexpr long kBlock = -516;      // ERESTART_RESTARTBLOCK: what it would restart may be another call by now
  const auto result = static_cast<long>(registers.rax);
  if (!kernel_restarts(result) || result == kBlock) registers.rax = static_cast<unsigned long long>(kNoHandler);
  return registers;
}

Redirected redirected(const Registers& registers, const Pending& pending, Address back, std::uint32_t done,
                      std::uint32_t waited_ms) {
  const Address begin = done > 0 ? pending.rest : pending.call;
  Registers common = registers;
  common.rcx = number(back);
  common.r11 = std::uint64_t{waited_ms} << 32 | done;
  Redirected result{by_kernel(common), common};
  result.by_kernel.rip = number(begin) + kSystemCallBytes;
  result.alone.rip = number(begin);
  result.alone.rax = registers.orig_rax;
  result.alone.orig_rax = ~0ULL;
  return result;
}

Registers calling(Registers registers, Address function, std::span<const std::uint64_t> arguments, Address stack) {
  unsigned long long* const places[] = {&registers.rdi, &registers.rsi, &registers.rdx,
                                        &registers.rcx, &registers.r8,  &registers.r9};
  for (std::size_t i = 0; i < arguments.size() && i < std::size(places); i++) *places[i] = arguments[i];
  registers.rax = 0;
  registers.orig_rax = ~0ULL;
  registers.eflags &= ~(kTrap | kDirection);
  registers.rsp = number(stack);
  registers.rip = number(function);
  return registers;
}

Registers calling_by(Registers registers, Address code, Address function, std::span<const std::uint64_t> arguments,
                     Address mailbox, Address frame, Address stack) {
  registers = calling(registers, code, arguments, stack);
  registers.rbx = number(function);
  registers.r12 = number(mailbox);
  registers.r13 = number(frame) + sizeof(std::uint64_t);
  registers.rbp = 0;
  return registers;
}

Frame return_frame(const Context& context, Address restorer, Address room_end) {
  constexpr std::uint64_t kVectorAlign = 64;
  const std::vector<std::uint8_t> vectors = vector_frame(context.vectors);
  const std::uint64_t vectors_at = (number(room_end) - vectors.size()) & ~(kVectorAlign - 1);
  // As where a function begins: the return address at 8 modulo 16.
  const std::uint64_t at = ((vectors_at - kContextBytes - sizeof(std::uint64_t)) & ~std::uint64_t{15}) - 8;
  ucontext_t frame{};
  fill(frame, context, vectors.empty() ? 0 : vectors_at);
  Frame result{Address{at}, Address{at}, std::vector<std::uint8_t>(vectors_at + vectors.size() - at)};
  const std::uint64_t back = number(restorer);
  std::memcpy(result.bytes.data(), &back, sizeof back);
  std::memcpy(result.bytes.data() + sizeof back, &frame, kContextBytes);
  std::copy(vectors.begin(), vectors.end(), result.bytes.begin() + static_cast<std::ptrdiff_t>(vectors_at - at));
  return result;
}

std::string_view restorer_code() { return {"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9}; }

std::optional<Registers> interrupted_by_handler(const Memory& memory, Address frame) {
  unsigned char bytes[kContextBytes];
  if (memory.read(frame + sizeof(std::uint64_t), bytes, sizeof bytes) != sizeof bytes) return std::nullopt;
  ucontext_t context{};
  std::memcpy(static_cast<void*>(&context), bytes, sizeof bytes);
  Registers registers{};
  registers.rip = static_cast<unsigned long long>(context.uc_mcontext.gregs[REG_RIP]);
  registers.rax = static_cast<unsigned long long>(context.uc_mcontext.gregs[REG_RAX]);
  return registers;
}

std::span<const std::uint8_t> rest_code() { return {sockdoc_rest_code, sockdoc_rest_code_end}; }

std::span<const std::uint8_t> call_code() { return {sockdoc_call_code, sockdoc_call_code_end}; }

}  // namespace sockdoc::inject::arch
