#include "probes/sched/sched_programs.h"

#include <linux/btf.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "probes/bpf/task_storage.h"

namespace sockdoc {

using bpf::Alu;
using bpf::Assembler;
using bpf::If;
using bpf::Reg;
using bpf::Size;

namespace {

constexpr int kArgumentBytes = sizeof(std::uint64_t);

// The stack of all programs.
constexpr int kKey = -8;
constexpr int kDelay = -16;   // nanoseconds
constexpr int kBucket = -24;  // offset of the bucket in SchedHistogram
constexpr int kWoken = -32;
constexpr int kTid = -40;
constexpr int kEpoch = -48;
constexpr int kSince = -56;

int argument(unsigned index) { return static_cast<int>(index) * kArgumentBytes; }

}  // namespace

/** Writes the programs. In all of them r6 to r9 keep what is used across calls. */
struct SchedAssembly {
  const SchedOffsets& at;
  const SchedPrograms::Maps& maps;

  /** r0 = mark of the task in `task`, or `otherwise` where it has none. */
  void get_mark(Assembler& a, Reg task, bool create, Assembler::Label otherwise) const {
    a.load_map(Reg::r1, maps.waiting);
    a.move(Reg::r2, task);
    a.move(Reg::r3, 0);
    a.move(Reg::r4, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
    a.call(BPF_FUNC_task_storage_get);
    a.jump_if(If::equal, Reg::r0, 0, otherwise);
  }

  /**
   * A thread that runs is woken too, between deciding to sleep and sleeping: it does not wait. One that was pushed off
   * and is woken then has waited since before.
   */
  Assembler wakeup() const {
    Assembler a;
    const auto end = a.label();
    a.load(Size::u64, Reg::r6, Reg::r1, argument(0));
    a.load(Size::u32, Reg::r2, Reg::r6, at.on_cpu);
    a.jump_if(If::not_equal, Reg::r2, 0, end);
    get_mark(a, Reg::r6, true, end);
    a.load(Size::u64, Reg::r1, Reg::r0, offsetof(SchedWaiting, since_ns));
    a.jump_if(If::not_equal, Reg::r1, 0, end);
    a.move(Reg::r7, Reg::r0);
    a.call(BPF_FUNC_ktime_get_ns);
    a.store(Size::u64, Reg::r7, offsetof(SchedWaiting, since_ns), Reg::r0);
    a.store(Size::u64, Reg::r7, offsetof(SchedWaiting, woken), 1);
    finish(a, end);
    return a;
  }

  Assembler migrate() const {
    Assembler a;
    const auto thread = a.label();
    const auto end = a.label();
    a.move(Reg::r6, Reg::r1);
    a.load(Size::u64, Reg::r2, Reg::r6, argument(1));  // where to
    a.store(Size::u32, Reg::r10, kKey, Reg::r2);
    a.lookup(maps.migrations, kKey);
    a.jump_if(If::equal, Reg::r0, 0, thread);
    a.move(Reg::r1, 1);
    a.atomic_add(Size::u64, Reg::r0, 0, Reg::r1);
    a.bind(thread);
    a.load(Size::u64, Reg::r1, Reg::r6, argument(0));
    a.load(Size::u32, Reg::r1, Reg::r1, at.pid);
    a.store(Size::u32, Reg::r10, kTid, Reg::r1);
    find_thread(a, end);
    a.move(Reg::r1, 1);
    a.atomic_add(Size::u64, Reg::r0, offsetof(SchedThread, migrations), Reg::r1);
    finish(a, end);
    return a;
  }

  /** r6: the thread that goes, r7: the one that comes, r8: now, r9: the counts of this CPU. */
  Assembler switched() const {
    Assembler a;
    const auto comes = a.label();
    const auto end = a.label();
    a.load(Size::u64, Reg::r6, Reg::r1, argument(at.previous));
    a.load(Size::u64, Reg::r7, Reg::r1, argument(at.next));
    a.load(Size::u64, Reg::r9, Reg::r1, argument(at.preempt));
    a.alu(Alu::bit_and, Reg::r9, 0xff);  // a bool: the rest of its register is not defined
    a.call(BPF_FUNC_ktime_get_ns);
    a.move(Reg::r8, Reg::r0);
    note_how_it_goes(a);
    a.store(Size::u32, Reg::r10, kKey, 0);
    a.lookup(maps.cpus, kKey);
    a.jump_if(If::equal, Reg::r0, 0, end);
    a.move(Reg::r9, Reg::r0);
    count_switch(a);

    a.load(Size::u32, Reg::r1, Reg::r6, at.pid);
    a.jump_if(If::equal, Reg::r1, 0, comes);  // the idle task waits for nothing
    a.store(Size::u32, Reg::r10, kTid, Reg::r1);
    leave(a, comes);
    add_everywhere(a, comes);
    a.bind(comes);
    take_delay(a, end);
    add_everywhere(a, end);
    finish(a, end);
    return a;
  }

 private:
  /** kSince and kWoken for its mark: pushed off it waits from now on, asleep until it is woken. */
  void note_how_it_goes(Assembler& a) const {
    const auto pushed_off = a.label();
    a.store(Size::u64, Reg::r10, kSince, Reg::r8);
    a.store(Size::u64, Reg::r10, kWoken, 0);
    a.jump_if(If::not_equal, Reg::r9, 0, pushed_off);
    a.load(at.state_is_long ? Size::u64 : Size::u32, Reg::r1, Reg::r6, at.state);
    a.jump_if(If::equal, Reg::r1, 0, pushed_off);
    // Where it was hidden that the thread came, its mark is still set, and would count the sleep as waiting.
    a.store(Size::u64, Reg::r10, kSince, 0);
    a.store(Size::u64, Reg::r10, kWoken, 1);
    a.bind(pushed_off);
  }

  /** Where another goes than the one that came last, there was a switch in between that was hidden from us. */
  void count_switch(Assembler& a) const {
    const auto same = a.label();
    a.load(Size::u64, Reg::r1, Reg::r9, offsetof(SchedCpu, switches));
    a.alu(Alu::add, Reg::r1, 1);
    a.load(Size::u64, Reg::r2, Reg::r9, offsetof(SchedCpu, last));
    a.jump_if(If::equal, Reg::r2, 0, same);
    a.load(Size::u32, Reg::r3, Reg::r6, at.pid);
    a.alu(Alu::add, Reg::r3, 1);
    a.jump_if(If::equal, Reg::r2, Reg::r3, same);
    a.alu(Alu::add, Reg::r1, 1);
    a.bind(same);
    a.store(Size::u64, Reg::r9, offsetof(SchedCpu, switches), Reg::r1);
    a.load(Size::u32, Reg::r3, Reg::r7, at.pid);
    a.alu(Alu::add, Reg::r3, 1);
    a.store(Size::u64, Reg::r9, offsetof(SchedCpu, last), Reg::r3);
  }

  /**
   * Marks the thread that goes. Where nobody counted the wait before it ran, its delay is what the scheduler has
   * counted since it last went; `otherwise` where there is none to count, which is nearly always.
   */
  void leave(Assembler& a, Assembler::Label otherwise) const {
    get_mark(a, Reg::r6, true, otherwise);
    a.load(Size::u64, Reg::r1, Reg::r10, kSince);
    a.store(Size::u64, Reg::r0, offsetof(SchedWaiting, since_ns), Reg::r1);
    a.load(Size::u64, Reg::r1, Reg::r10, kWoken);
    a.load(Size::u64, Reg::r2, Reg::r0, offsetof(SchedWaiting, woken));
    a.store(Size::u64, Reg::r0, offsetof(SchedWaiting, woken), Reg::r1);
    a.store(Size::u64, Reg::r10, kWoken, Reg::r2);
    if (!at.run_delay) return a.jump(otherwise);
    a.load(Size::u64, Reg::r1, Reg::r6, *at.run_delay);
    a.load(Size::u64, Reg::r2, Reg::r0, offsetof(SchedWaiting, delay_ns));
    a.store(Size::u64, Reg::r0, offsetof(SchedWaiting, delay_ns), Reg::r1);
    a.load(Size::u64, Reg::r3, Reg::r0, offsetof(SchedWaiting, wait));
    a.store(Size::u64, Reg::r0, offsetof(SchedWaiting, wait), SchedWaiting::owed);
    a.jump_if(If::not_equal, Reg::r3, SchedWaiting::owed, otherwise);
    a.jump_if(If::below, Reg::r1, Reg::r2, otherwise);
    a.alu(Alu::sub, Reg::r1, Reg::r2);
    measure(a, Reg::r1);
  }

  /** How long the thread that comes has waited; `otherwise` where it is not known to have. */
  void take_delay(Assembler& a, Assembler::Label otherwise) const {
    a.load(Size::u32, Reg::r1, Reg::r7, at.pid);
    a.jump_if(If::equal, Reg::r1, 0, otherwise);
    a.store(Size::u32, Reg::r10, kTid, Reg::r1);
    get_mark(a, Reg::r7, false, otherwise);
    a.load(Size::u64, Reg::r1, Reg::r0, offsetof(SchedWaiting, since_ns));
    a.jump_if(If::equal, Reg::r1, 0, otherwise);
    a.load(Size::u64, Reg::r2, Reg::r0, offsetof(SchedWaiting, woken));
    a.store(Size::u64, Reg::r10, kWoken, Reg::r2);
    a.store(Size::u64, Reg::r0, offsetof(SchedWaiting, since_ns), 0);
    a.jump_if(If::above, Reg::r1, Reg::r8, otherwise);  // CPUs whose clocks differ
    a.store(Size::u64, Reg::r0, offsetof(SchedWaiting, wait), SchedWaiting::counted);
    a.alu(Alu::sub, Reg::r8, Reg::r1);
    measure(a, Reg::r8);
  }

  /** kDelay, kBucket and kEpoch of these nanoseconds; loses `ns`, r1 and r2. */
  void measure(Assembler& a, Reg ns) const {
    const auto small_enough = a.label();
    a.store(Size::u64, Reg::r10, kDelay, ns);
    a.alu(Alu::div, ns, 1000);
    a.jump_if(If::at_most, ns, 0x7fffffff, small_enough);
    a.move(ns, 0x7fffffff);
    a.bind(small_enough);
    a.move(Reg::r2, 0);
    for (int bits = 16; bits > 0; bits /= 2) {
      const auto below = a.label();
      a.jump_if(If::below, ns, 1 << bits, below);
      a.alu(Alu::shift_right, ns, bits);
      a.alu(Alu::add, Reg::r2, bits);
      a.bind(below);
    }
    a.alu(Alu::shift_left, Reg::r2, 3);
    a.store(Size::u64, Reg::r10, kBucket, Reg::r2);
    a.load_map_value(Reg::r1, maps.control, offsetof(SchedControl, epoch));
    a.load(Size::u64, Reg::r1, Reg::r1, 0);
    a.store(Size::u64, Reg::r10, kEpoch, Reg::r1);
  }

  /** Adds kDelay to what this CPU and the thread in kTid have; `otherwise` where that is not watched. */
  void add_everywhere(Assembler& a, Assembler::Label otherwise) const {
    const auto thread = a.label();
    add_to_histogram(a, Reg::r9, offsetof(SchedCpu, run_delay));
    a.load(Size::u64, Reg::r1, Reg::r10, kWoken);
    a.jump_if(If::equal, Reg::r1, 0, thread);
    add_to_histogram(a, Reg::r9, offsetof(SchedCpu, wakeup));
    a.bind(thread);
    find_thread(a, otherwise);
    add_to_histogram(a, Reg::r0, offsetof(SchedThread, run_delay));
  }

  /** r0 = counts of the thread in kTid, or `otherwise` where it is not watched. */
  void find_thread(Assembler& a, Assembler::Label otherwise) const {
    a.load_map_value(Reg::r1, maps.control, offsetof(SchedControl, watched));
    a.load(Size::u64, Reg::r1, Reg::r1, 0);
    a.jump_if(If::equal, Reg::r1, 0, otherwise);
    a.lookup(maps.threads, kTid);
    a.jump_if(If::equal, Reg::r0, 0, otherwise);
  }

  /** Adds kDelay to the histogram at `base` + `offset`; uses r1 to r5. */
  void add_to_histogram(Assembler& a, Reg base, std::size_t offset) const {
    const auto same_epoch = a.label();
    const auto done = a.label();
    const auto put = a.label();
    const auto in = [&](std::size_t member) { return static_cast<int>(offset + member); };
    a.load(Size::u64, Reg::r1, Reg::r10, kBucket);
    a.alu(Alu::bit_and, Reg::r1, (SchedHistogram::kBuckets - 1) * sizeof(std::uint64_t));  // for the verifier
    a.move(Reg::r2, base);
    a.alu(Alu::add, Reg::r2, Reg::r1);
    a.load(Size::u64, Reg::r1, Reg::r2, in(offsetof(SchedHistogram, counts)));
    a.alu(Alu::add, Reg::r1, 1);
    a.store(Size::u64, Reg::r2, in(offsetof(SchedHistogram, counts)), Reg::r1);

    a.load(Size::u64, Reg::r3, Reg::r10, kDelay);
    a.load(Size::u64, Reg::r1, base, in(offsetof(SchedHistogram, sum_ns)));
    a.alu(Alu::add, Reg::r1, Reg::r3);
    a.store(Size::u64, base, in(offsetof(SchedHistogram, sum_ns)), Reg::r1);

    a.load(Size::u64, Reg::r4, Reg::r10, kEpoch);
    a.move(Reg::r2, Reg::r4);
    a.alu(Alu::bit_and, Reg::r2, 1);
    a.alu(Alu::mul, Reg::r2, sizeof(SchedHistogram::Maximum));
    a.alu(Alu::add, Reg::r2, base);
    const int epoch = in(offsetof(SchedHistogram, maxima) + offsetof(SchedHistogram::Maximum, epoch));
    const int maximum = in(offsetof(SchedHistogram, maxima) + offsetof(SchedHistogram::Maximum, ns));
    a.load(Size::u64, Reg::r1, Reg::r2, epoch);
    a.jump_if(If::equal, Reg::r1, Reg::r4, same_epoch);
    a.store(Size::u64, Reg::r2, epoch, Reg::r4);
    a.jump(put);
    a.bind(same_epoch);
    a.load(Size::u64, Reg::r1, Reg::r2, maximum);
    a.jump_if(If::at_least, Reg::r1, Reg::r3, done);
    a.bind(put);
    a.store(Size::u64, Reg::r2, maximum, Reg::r3);
    a.bind(done);
  }

  static void finish(Assembler& a, Assembler::Label end) {
    a.bind(end);
    a.move(Reg::r0, 0);
    a.exit();
  }
};

namespace {

std::optional<unsigned> index_of(const std::vector<std::string>& types, std::string_view type, std::size_t from) {
  const auto found = std::find(types.begin() + static_cast<std::ptrdiff_t>(from), types.end(), type);
  if (found == types.end()) return std::nullopt;
  return static_cast<unsigned>(found - types.begin());
}

/** The arguments without the first, which is the tracepoint's own data that programs do not see. */
std::vector<std::string> arguments_of(const Btf& btf, const char* typedef_name) {
  auto types = btf.typedef_parameters(typedef_name);
  if (!types || types->empty()) return {};
  types->erase(types->begin());
  return *types;
}

bool find_arguments(const Btf& btf, SchedOffsets& at) {
  constexpr const char* kTask = "struct task_struct *";
  const auto types = arguments_of(btf, "btf_trace_sched_switch");
  const auto previous = index_of(types, kTask, 0);
  const auto next = previous ? index_of(types, kTask, *previous + 1) : std::nullopt;
  const auto preempt = index_of(types, "bool", 0);
  if (!next || !preempt) return false;
  at.previous = *previous;
  at.next = *next;
  at.preempt = *preempt;
  for (const char* name : {"btf_trace_sched_wakeup", "btf_trace_sched_wakeup_new", "btf_trace_sched_migrate_task"}) {
    const auto woken = arguments_of(btf, name);
    if (woken.empty() || woken[0] != kTask) return false;
  }
  return arguments_of(btf, "btf_trace_sched_migrate_task").size() == 2;
}

bool find_members(const Btf& btf, SchedOffsets& at) {
  const auto pid = btf.member("task_struct", "pid");
  const auto on_cpu = btf.member("task_struct", "on_cpu");
  auto state = btf.member("task_struct", "__state");
  if (!state) state = btf.member("task_struct", "state");
  if (!pid || pid->bytes != 4 || !on_cpu || on_cpu->bytes != 4 || !state) return false;
  if (state->bytes != 4 && state->bytes != 8) return false;
  at.pid = static_cast<int>(pid->offset);
  at.on_cpu = static_cast<int>(on_cpu->offset);
  at.state = static_cast<int>(state->offset);
  if (const auto delay = btf.member("task_struct", "sched_info.run_delay"); delay && delay->bytes == 8) {
    at.run_delay = static_cast<int>(delay->offset);
  }
  at.state_is_long = state->bytes == 8;
  return true;
}

}  // namespace

Result<SchedOffsets> sched_offsets(const Btf& btf) {
  SchedOffsets at;
  if (!find_arguments(btf, at) || !find_members(btf, at)) return Error{EOPNOTSUPP, "tracepoints of the scheduler"};
  for (const auto& [name, id] : {std::pair{"btf_trace_sched_switch", &at.sched_switch},
                                 {"btf_trace_sched_wakeup", &at.sched_wakeup},
                                 {"btf_trace_sched_wakeup_new", &at.sched_wakeup_new},
                                 {"btf_trace_sched_migrate_task", &at.sched_migrate_task}}) {
    *id = btf.id(name, BTF_KIND_TYPEDEF).value_or(0);
    if (*id == 0) return Error{EOPNOTSUPP, name};
  }
  return at;
}

Result<SchedPrograms::Maps> SchedPrograms::make_maps() {
  const auto cpus = bpf::possible_cpus();
  if (!cpus) return cpus.error();
  auto counts = bpf::Map::create({.type = BPF_MAP_TYPE_PERCPU_ARRAY,
                                  .key_bytes = sizeof(std::uint32_t),
                                  .value_bytes = sizeof(SchedCpu),
                                  .max_entries = 1,
                                  .name = "sockdoc_cpus"});
  if (!counts) return counts.error();
  auto migrations = bpf::Map::create({.type = BPF_MAP_TYPE_ARRAY,
                                      .key_bytes = sizeof(std::uint32_t),
                                      .value_bytes = sizeof(std::uint64_t),
                                      .max_entries = *cpus,
                                      .name = "sockdoc_moved"});
  if (!migrations) return migrations.error();
  auto waiting = bpf::create_task_storage(sizeof(SchedWaiting) / sizeof(std::uint64_t), "sockdoc_waiting");
  if (!waiting) return waiting.error();
  auto threads = bpf::Map::create({.type = BPF_MAP_TYPE_HASH,
                                   .key_bytes = sizeof(std::uint32_t),
                                   .value_bytes = sizeof(SchedThread),
                                   .max_entries = kMaxThreads,
                                   .name = "sockdoc_threads",
                                   .flags = BPF_F_NO_PREALLOC});
  if (!threads) return threads.error();
  auto control = bpf::Map::create({.type = BPF_MAP_TYPE_ARRAY,
                                   .key_bytes = sizeof(std::uint32_t),
                                   .value_bytes = sizeof(SchedControl),
                                   .max_entries = 1,
                                   .name = "sockdoc_control"});
  if (!control) return control.error();
  return Maps{std::move(*counts), std::move(*migrations), std::move(*waiting), std::move(*threads),
              std::move(*control)};
}

Result<SchedPrograms> SchedPrograms::attach(const SchedOffsets& offsets) {
  auto maps = make_maps();
  if (!maps) return maps.error();
  const SchedAssembly assembly{offsets, *maps};
  struct Program {
    const char* tracepoint;
    std::uint32_t id;
    Assembler code;
  };
  // What begins a wait comes last: until it is there, none is counted that began before.
  const Program programs[] = {{"sched_switch", offsets.sched_switch, assembly.switched()},
                              {"sched_migrate_task", offsets.sched_migrate_task, assembly.migrate()},
                              {"sched_wakeup", offsets.sched_wakeup, assembly.wakeup()},
                              {"sched_wakeup_new", offsets.sched_wakeup_new, assembly.wakeup()}};
  std::vector<bpf::Attached> attached;
  for (const Program& program : programs) {
    auto done = bpf::Attached::attach({.name = std::string("sd_") + program.tracepoint,
                                       .license = bpf::kGplCompatible,
                                       .type = BPF_PROG_TYPE_TRACING,
                                       .attach_type = BPF_TRACE_RAW_TP,
                                       .attach_btf_id = program.id},
                                      program.code, program.tracepoint);
    if (!done) return done.error();
    attached.push_back(std::move(*done));
  }
  SchedPrograms result(std::move(*maps), std::move(attached));
  result.write_control();
  return result;
}

void SchedPrograms::write_control() const { (void)maps_.control.put(std::uint32_t{0}, control_); }

std::vector<SchedCpu> SchedPrograms::cpus() const { return maps_.cpus.get_per_cpu<SchedCpu>(std::uint32_t{0}); }

std::vector<std::uint64_t> SchedPrograms::migrations_to() const {
  std::vector<std::uint64_t> counts;
  while (const auto count = maps_.migrations.get<std::uint64_t>(static_cast<std::uint32_t>(counts.size()))) {
    counts.push_back(*count);
  }
  return counts;
}

void SchedPrograms::watch(const std::vector<int>& tids) {
  std::vector<int> wanted(tids.begin(),
                          tids.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(tids.size(), kMaxThreads)));
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (const int tid : watched_) {
    if (!std::binary_search(wanted.begin(), wanted.end(), tid)) (void)maps_.threads.remove(&tid);
  }
  for (const int tid : wanted) {
    if (!std::binary_search(watched_.begin(), watched_.end(), tid)) {
      (void)maps_.threads.put(static_cast<std::uint32_t>(tid), SchedThread{}, BPF_NOEXIST);
    }
  }
  watched_ = std::move(wanted);
  control_.watched = watched_.size();
  write_control();
}

std::optional<SchedThread> SchedPrograms::thread(int tid) const {
  return maps_.threads.get<SchedThread>(static_cast<std::uint32_t>(tid));
}

std::uint64_t SchedPrograms::next_epoch() {
  const std::uint64_t ended = control_.epoch++;
  write_control();
  return ended;
}

}  // namespace sockdoc
