#include "preload/originals.h"

#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "preload/calls.h"

/* Before its first use an original is a thunk that finds all of them and goes on with the arguments as they were. */
// clang-format off
#define SOCKDOC_THUNK(symbol, result, parameters, arguments)  \
  asm(".pushsection .text\n.type sockdoc_early_" #symbol ", @function\n" \
      ".hidden sockdoc_early_" #symbol "\n.globl sockdoc_early_" #symbol "\n" \
      "sockdoc_early_" #symbol ":\n" \
      "  lea sockdoc_original_" #symbol "(%rip), %r11\n" \
      "  jmp sockdoc_resolve_and_go_on\n.popsection");
SOCKDOC_CALLS(SOCKDOC_THUNK)
#undef SOCKDOC_THUNK

asm(R"(
.pushsection .text
.type sockdoc_resolve_and_go_on, @function
sockdoc_resolve_and_go_on:
  push %rdi
  push %rsi
  push %rdx
  push %rcx
  push %r8
  push %r9
  push %rax
  push %r11
  sub $8, %rsp
  call sockdoc_resolve_originals
  add $8, %rsp
  pop %r11
  pop %rax
  pop %r9
  pop %r8
  pop %rcx
  pop %rdx
  pop %rsi
  pop %rdi
  jmp *(%r11)
.popsection
)");
// clang-format on

#define SOCKDOC_DEFINE(symbol, result, parameters, arguments)             \
  result sockdoc_early_##symbol parameters;                               \
  result(*sockdoc_original_##symbol) parameters = sockdoc_early_##symbol; \
  result(*sockdoc_export_##symbol) parameters = sockdoc_hook_##symbol;

extern "C" {
SOCKDOC_CALLS(SOCKDOC_DEFINE)
}
#undef SOCKDOC_DEFINE

namespace sockdoc::preload {
namespace {

struct Call {
  const char* name;
  void* hook;
  void** original;
  void** exported;
  void* early;
  bool delegates;
};

#define SOCKDOC_ROW(symbol, delegates)                       \
  Call{#symbol,                                              \
       reinterpret_cast<void*>(sockdoc_hook_##symbol),       \
       reinterpret_cast<void**>(&sockdoc_original_##symbol), \
       reinterpret_cast<void**>(&sockdoc_export_##symbol),   \
       reinterpret_cast<void*>(sockdoc_early_##symbol),      \
       delegates},
#define SOCKDOC_OWN_ROW(symbol, result, parameters, arguments) SOCKDOC_ROW(symbol, false)
#define SOCKDOC_DELEGATING_ROW(symbol, result, parameters, arguments) SOCKDOC_ROW(symbol, true)
const Call kCalls[] = {SOCKDOC_TRACKED_CALLS(SOCKDOC_OWN_ROW) SOCKDOC_WAITING_CALLS(SOCKDOC_OWN_ROW)
                           SOCKDOC_FORWARDED_CALLS(SOCKDOC_OWN_ROW) SOCKDOC_DELEGATING_CALLS(SOCKDOC_DELEGATING_ROW)};
#undef SOCKDOC_ROW
#undef SOCKDOC_OWN_ROW
#undef SOCKDOC_DELEGATING_ROW

struct Alias {
  const char* name;
  const char* call;
};

#define SOCKDOC_ALIAS(name, call) Alias{#name, #call},
const Alias kAliases[] = {SOCKDOC_ALIASES(SOCKDOC_ALIAS)};
#undef SOCKDOC_ALIAS

/** Internal functions: where a libc that does not export them leads there, and what they begin with. */
struct Internal {
  const char* name;
  const char* from;
  std::uint32_t number;
};
const Internal kInternals[] = {
    {"__close_nocancel", "_IO_file_close", SYS_close},
    {"__close_nocancel", "fclose", SYS_close},
};

long not_there() {
  errno = ENOSYS;
  return -1;
}

Function find(const Image& libc, const char* name) {
  Function function = libc.function(name);
  for (const Internal& internal : kInternals) {
    if (function.found() || std::strcmp(internal.name, name) != 0) continue;
    function = find_system_call(libc, libc.function(internal.from), internal.number);
  }
  return function;
}

constexpr std::size_t kCount = sizeof kCalls / sizeof kCalls[0];

/** libc's own functions, in the order of kCalls. Found once, so that nothing is looked up under a stop. */
constinit Function in_libc[kCount];
constinit Request requests[kMaxSites];
constinit std::size_t request_count = 0;

void request(const Call& call, const Function& function) {
  if (!function.found() || request_count == kMaxSites || !makes_system_call(function)) return;
  for (std::size_t i = 0; i < request_count; i++) {
    if (requests[i].function.at == function.at) return;
  }
  requests[request_count++] = {call.name, function, call.hook, call.original};
}

}  // namespace

namespace {
void no_test() {}
}  // namespace
void (*test_cancel)() = no_test;

extern "C" void sockdoc_resolve_originals() {
  Image libc = Image::of_library("libc.so.6");
  // musl takes "libc.so.6" for its own name, and so loads us.
  if (!libc.valid()) libc = Image::that_exports("read", reinterpret_cast<const void*>(not_there));
  for (std::size_t i = 0; i < kCount; i++) {
    const Call& call = kCalls[i];
    in_libc[i] = libc.valid() ? find(libc, call.name) : Function{};
    if (__atomic_load_n(call.original, __ATOMIC_RELAXED) != call.early) continue;
    void* target = in_libc[i].found() ? const_cast<std::uint8_t*>(in_libc[i].at) : reinterpret_cast<void*>(not_there);
    __atomic_store_n(call.original, target, __ATOMIC_RELAXED);
  }
  const Function cancel = libc.valid() ? libc.function("pthread_testcancel") : Function{};
  if (cancel.found()) test_cancel = reinterpret_cast<void (*)()>(const_cast<std::uint8_t*>(cancel.at));
}

void lead_exports_to(Exports where, std::span<const Request> patched) {
  for (std::size_t i = 0; i < kCount; i++) {
    const Call& call = kCalls[i];
    bool by_hook = where == Exports::hooks || !in_libc[i].found();
    for (const Request& one : patched) by_hook |= one.original == call.original;
    void* target = by_hook ? call.hook : const_cast<std::uint8_t*>(in_libc[i].at);
    __atomic_store_n(call.exported, target, __ATOMIC_RELAXED);
  }
}

std::span<const Request> requests_for(const Image& libc) {
  request_count = 0;
  for (const Call& call : kCalls) {
    if (!call.delegates) request(call, find(libc, call.name));
  }
  for (const Alias& alias : kAliases) {
    for (const Call& call : kCalls) {
      if (std::strcmp(call.name, alias.call) == 0) request(call, libc.function(alias.name));
    }
  }
  return {requests, request_count};
}

}  // namespace sockdoc::preload
