#pragma once

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "probes/bpf/assembler.h"

namespace sockdoc::bpf {

/** The licenses that a program states to the kernel; helpers that read its memory are for GPL-compatible ones only. */
inline constexpr const char* kNoLicense = "";
inline constexpr const char* kGplCompatible = "Dual MIT/GPL";

struct ProgramSpec {
  /** At most 15 characters; shown by bpftool and in the kernel's stack traces. */
  std::string name;
  const char* license = kNoLicense;
  bpf_prog_type type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  /** BPF_PROG_TYPE_TRACING only: BPF_TRACE_RAW_TP, and the id of the typedef btf_trace_NAME (Btf::id). */
  bpf_attach_type attach_type = BPF_CGROUP_INET_INGRESS;  // 0
  std::uint32_t attach_btf_id = 0;
};

/**
 * Loads a program. When the verifier refuses it, the error's text has the end of its log: that is our bug or a kernel
 * that we do not know, and the log is what a report needs. EPERM without CAP_BPF and CAP_PERFMON.
 */
Result<Fd> load(const ProgramSpec& spec, const Assembler& assembler);

/**
 * Runs a loaded raw-tracepoint program at the tracepoint `name` ("kfree_skb") until the descriptor is closed, also by
 * the end of the process. A BPF_PROG_TYPE_TRACING program knows its tracepoint: `name` is only for the error.
 */
Result<Fd> attach_raw_tracepoint(const Fd& program, const ProgramSpec& spec, const char* name);

/** A program that runs as long as the object lives. */
class Attached {
 public:
  static Result<Attached> attach(const ProgramSpec& spec, const Assembler& assembler, const char* tracepoint);

  /** Nanoseconds spent in it and how often it ran, where kernel.bpf_stats_enabled is on; else zeroes. */
  struct Cost {
    std::uint64_t nanoseconds = 0;
    std::uint64_t runs = 0;
  };
  [[nodiscard]] Cost cost() const;

 private:
  Attached(Fd program, Fd link) : program_(std::move(program)), link_(std::move(link)) {}
  Fd program_, link_;
};

}  // namespace sockdoc::bpf
