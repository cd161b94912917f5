#include "preload/calls.h"

/*
 * The names of the calls as dynamic symbols of libsd.so. Linked into the library alone: nothing of sockdoc that is
 * linked with this may call them by name.
 */
// clang-format off
#define SOCKDOC_EXPORT(name, call) \
  asm(".pushsection .text\n.globl " #name "\n.type " #name ", @function\n" \
      #name ":\n  jmp *sockdoc_export_" #call "(%rip)\n.size " #name ", . - " #name "\n.popsection");
#define SOCKDOC_EXPORT_CALL(symbol, result, parameters, arguments) SOCKDOC_EXPORT(symbol, symbol)
SOCKDOC_CALLS(SOCKDOC_EXPORT_CALL)
SOCKDOC_ALIASES(SOCKDOC_EXPORT)
// clang-format on
