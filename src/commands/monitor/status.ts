import { Flags } from '@oclif/core';
import { prettyMonitor } from '../../report/pretty/monitor.js';
import { writeJson } from '../../report/write.js';
import { monitorStatus } from '../../services/monitor/status.js';
import { EXIT } from '../../support/errors.js';
import { terminalOf } from '../../support/terminal.js';
import { BaseCommand } from '../base/command.js';

export default class MonitorStatus extends BaseCommand {
  static override summary = 'Say what the monitor serves, and why a connection stays on the kernel.';

  static override description =
    'Asks the monitor of this user, else the one of the system. Exit code 1 when none runs. Processes of other users are shown to root and to the user that the monitor runs as.';

  static override examples = [
    { command: '<%= config.bin %> monitor status', description: 'Clients, connections and reasons' },
  ];

  static override flags = {
    socket: Flags.string({ description: 'Ask the one that listens here.', helpValue: 'PATH' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(MonitorStatus);
    const document = await monitorStatus(flags.socket);
    process.exitCode = document.running ? EXIT.ok : EXIT.badNews;
    await this.print(flags.json ? writeJson(document) : prettyMonitor(document, terminalOf(process.stdout)));
  }
}
