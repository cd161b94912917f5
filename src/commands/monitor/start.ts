import { Flags } from '@oclif/core';
import { writeJson } from '../../report/write.js';
import { runMonitor, startMonitor } from '../../services/monitor/start.js';
import { BaseCommand } from '../base/command.js';

export default class MonitorStart extends BaseCommand {
  static override summary = 'Start the monitor, which pairs the ends of connections for sockets in user space.';

  static override description =
    'As root it serves every user, else the processes of this user. Comes back when the monitor is ready. Running programs whose connections go by shared memory find a new monitor by themselves.';

  static override examples = [
    { command: '<%= config.bin %> monitor start', description: 'In the background' },
    { command: '<%= config.bin %> monitor start --foreground --policy ./policy', description: 'For a supervisor' },
  ];

  static override flags = {
    foreground: Flags.boolean({ description: 'Stay in the foreground until a signal ends it.' }),
    policy: Flags.string({
      description:
        'Who may share memory with whom. [default: /etc/sockdoc/policy, or ~/.config/sockdoc/policy, if there is one]',
      helpValue: 'FILE',
    }),
    socket: Flags.string({ description: 'Listen here.', helpValue: 'PATH' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(MonitorStart);
    const { foreground, policy, socket } = flags;
    const options = { ...(policy === undefined ? {} : { policy }), ...(socket === undefined ? {} : { socket }) };
    if (foreground) {
      process.exitCode = await runMonitor(options);
      return;
    }
    const document = await startMonitor(options);
    await this.print(
      flags.json ? writeJson(document) : `The monitor runs, pid ${document.pid}, at ${document.socket}\n`,
    );
  }
}
