#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "probes/bpf/assembler.h"

namespace sockdoc::bpf {

/**
 * A program that the kernel runs for one thread (bpf_iter/task, limited to one since Linux 6.1), and then once more
 * without any. It writes what is to be told.
 */
class TaskIterator {
 public:
  // In its context, struct bpf_iter__task, and in struct bpf_iter_meta that this leads to.
  static constexpr int kMeta = 0;
  static constexpr int kTask = 8;  // null at the end
  static constexpr int kSequence = 0;

  /** EPERM without CAP_BPF and CAP_PERFMON, ENOENT on kernels without BTF. */
  static Result<TaskIterator> load(const Assembler& assembler);

  /** The same program for one thread: a descriptor for run(). */
  [[nodiscard]] Result<Fd> link_to(pid_t thread) const;
  /** What it writes now. */
  static Result<std::vector<std::byte>> run(const Fd& link);

 private:
  explicit TaskIterator(Fd program) : program_(std::move(program)) {}
  Fd program_;
};

}  // namespace sockdoc::bpf
