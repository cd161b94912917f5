import { Flags } from '@oclif/core';
import { writeJson } from '../../report/write.js';
import { stopMonitor } from '../../services/monitor/status.js';
import { BaseCommand } from '../base/command.js';

export default class MonitorStop extends BaseCommand {
  static override summary = 'End the monitor. Connections carry on; new ones stay on the kernel.';

  static override examples = [
    { command: '<%= config.bin %> monitor stop', description: 'End the monitor of SOCKDOC_MONITOR, or of this user' },
  ];

  static override flags = { socket: Flags.string({ description: 'The one that listens here.', helpValue: 'PATH' }) };

  async run(): Promise<void> {
    const { flags } = await this.parse(MonitorStop);
    const document = await stopMonitor(flags.socket);
    const text = document.stopped ? 'The monitor has ended' : `No monitor runs at ${document.socket}`;
    await this.print(flags.json ? writeJson(document) : `${text}\n`);
  }
}
