#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "probes/bpf/btf.h"
#include "probes/bpf/map.h"
#include "probes/bpf/program.h"
#include "probes/sched/sched_layout.h"

namespace sockdoc {

/** Where this kernel has what the programs look at. */
struct SchedOffsets {
  unsigned preempt = 0;  // arguments of sched_switch
  unsigned previous = 0;
  unsigned next = 0;
  int pid = 0;    // of task_struct
  int state = 0;  // its name was changed in 5.14
  bool state_is_long = false;
  int on_cpu = 0;
  std::optional<int> run_delay;    // nothing in a kernel without CONFIG_SCHED_INFO
  std::uint32_t sched_switch = 0;  // ids for attach_btf_id
  std::uint32_t sched_wakeup = 0;
  std::uint32_t sched_wakeup_new = 0;
  std::uint32_t sched_migrate_task = 0;
};

/** EOPNOTSUPP where the kernel's scheduler is not what we know. */
Result<SchedOffsets> sched_offsets(const Btf& btf);

/**
 * BPF programs on the tracepoints of the scheduler that sum up in the kernel how long threads wait for a CPU:
 *
 * - run-queue delay: from becoming runnable (a wake-up, or being pushed off a CPU while runnable) to running;
 * - wake-up latency: those of the former that began with a wake-up.
 *
 * The clock starts when the tracepoint sched_wakeup says that the thread is on a run queue, which is after the
 * interrupt that a wake-up of an idle CPU may need. Waiting begins where a thread was already waiting when the programs
 * were attached is not counted. A kernel may hide threads from tracing, such as those of a virtual machine's own agent,
 * and with them what happens while they run: wake-ups by an interrupt, and who comes after them. A wait whose beginning
 * or end was hidden is counted when its thread leaves the CPU, by what the scheduler has counted for it. Nothing is
 * written per event but counts; a thread's own mark is kept with the task by the kernel (BPF task storage, Linux 5.11)
 * and goes with it.
 *
 * They run as long as the object lives: closing the descriptors detaches and frees all of it, also when the process
 * dies. Needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN.
 */
class SchedPrograms {
 public:
  static constexpr std::uint32_t kMaxThreads = 1024;

  static Result<SchedPrograms> attach(const SchedOffsets& offsets);

  /** By CPU number, of every possible CPU. */
  [[nodiscard]] std::vector<SchedCpu> cpus() const;
  [[nodiscard]] std::vector<std::uint64_t> migrations_to() const;

  /** Watches these threads, and no others, at most kMaxThreads of them. */
  void watch(const std::vector<int>& tids);
  [[nodiscard]] const std::vector<int>& watched() const { return watched_; }
  [[nodiscard]] std::optional<SchedThread> thread(int tid) const;

  /** Begins an epoch and gives the one that ended, whose maxima are complete now. */
  std::uint64_t next_epoch();

 private:
  struct Maps {
    bpf::Map cpus, migrations, waiting, threads, control;
  };
  static Result<Maps> make_maps();
  SchedPrograms(Maps maps, std::vector<bpf::Attached> programs)
      : maps_(std::move(maps)), programs_(std::move(programs)) {}
  void write_control() const;

  Maps maps_;
  std::vector<bpf::Attached> programs_;
  SchedControl control_;
  std::vector<int> watched_;  // sorted

  friend struct SchedAssembly;
};

}  // namespace sockdoc
