import type { FileProbe } from '../files.js';
import { sysctlName, sysctlValue } from '../sysctl-names.js';

const KERNEL = [
  'pid_max',
  'threads-max',
  'numa_balancing',
  'sched_autogroup_enabled',
  'sched_latency_ns',
  'sched_migration_cost_ns',
  'sched_min_granularity_ns',
  'sched_rt_runtime_us',
  'sched_rt_period_us',
  'sched_schedstats',
  'sched_wakeup_granularity_ns',
  'timer_migration',
  'nmi_watchdog',
  'watchdog',
  'perf_event_paranoid',
  'unprivileged_bpf_disabled',
  'io_uring_disabled',
  'io_uring_group',
  'modules_disabled',
  'kptr_restrict',
  'dmesg_restrict',
  'yama/ptrace_scope',
  'printk_ratelimit',
  'tainted',
];

/** All of fs.* and vm.*, and of kernel.* what concerns scheduling, tracing and features. */
export const hostSysctls: FileProbe<Record<string, string>> = {
  name: 'sysctls',
  wants: {
    trees: ['/proc/sys/fs', '/proc/sys/vm'],
    skip: ['binfmt_misc'],
    files: KERNEL.map((key) => `/proc/sys/kernel/${key}`),
  },
  parse(found) {
    const values: Record<string, string> = {};
    for (const { match, text } of found.files(/^\/proc\/sys\/(fs|vm|kernel)\/.*/)) {
      values[sysctlName(match[0])] = sysctlValue(text);
    }
    if (Object.keys(values).length === 0) found.missing('/proc/sys');
    return values;
  },
};
