import { Args, Flags } from '@oclif/core';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { withProgress } from './base/progress.js';
import { targetFlags } from './base/target.js';
import { watchFlags, watchView } from './base/watch.js';
import { DEFAULT_WINDOW_MS, windowFlag } from './base/window.js';

export default class Nic extends BaseCommand {
  static override summary = 'Show what the network interfaces are, how they are set and what they move.';

  static override description = [
    'Without IFACE one row for each interface: rates, drops and errors per second over the window. With IFACE all about it: link and partner, queues, rings, coalescing, offloads, interrupts with their CPUs and NUMA nodes, queueing disciplines, rates per queue where the driver counts them, and whether it could carry sockets over RDMA. Changes nothing.',
    'Exit code: 0 fine; 2 wrong use; 3 not permitted; 4 no such interface; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> nic', description: 'Every interface, over one second' },
    { command: '<%= config.bin %> nic eth0', description: 'All about one of them' },
    { command: '<%= config.bin %> nic --watch --netns all', description: 'Those of all namespaces, again and again' },
  ];

  static override args = { interface: Args.string({ description: 'The interface to show in full.' }) };

  static override flags = {
    netns: targetFlags.netns,
    ...watchFlags,
    window: windowFlag,
    all: Flags.boolean({ char: 'a', description: 'Every interface, also where a terminal is shown the busiest.' }),
    verbose: Flags.boolean({ char: 'v', description: 'All counters and features, and all that could not be seen.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Nic);
    const { netns, verbose, all } = flags;
    const json = flags.json ?? false;
    const windowMs = flags.window ?? (flags.watch ? (flags.interval ?? DEFAULT_WINDOW_MS) : DEFAULT_WINDOW_MS);
    const { NicView } = await import('../services/nic/run.js');
    const { prettyNic } = await import('../report/pretty/nic.js');
    const { writeJson, writeJsonLine } = await import('../report/write.js');
    const view = new NicView({
      ...(args.interface === undefined ? {} : { name: args.interface }),
      ...(netns === undefined ? {} : { netns }),
      windowMs,
    });
    if (flags.watch)
      return watchView({
        intervalMs: flags.interval,
        json,
        read: (signal) => view.read(signal),
        line: (document) => writeJsonLine(document),
        text: (document, terminal) => prettyNic(document, { ...terminal, verbose, all }),
      });
    const document = await withProgress('reading', windowMs, () => untilInterrupted((signal) => view.read(signal)));
    await this.print(json ? writeJson(document) : prettyNic(document, { ...terminalOf(process.stdout), verbose, all }));
  }
}
