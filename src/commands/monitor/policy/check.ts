import { Args } from '@oclif/core';
import { policyMistakes } from '../../../report/pretty/monitor.js';
import { writeJson } from '../../../report/write.js';
import { checkPolicy } from '../../../services/monitor/policy.js';
import { EXIT, usageError } from '../../../support/errors.js';
import { BaseCommand } from '../../base/command.js';

export default class MonitorPolicyCheck extends BaseCommand {
  static override summary = 'Read a policy as the monitor would, and name each mistake with its place.';

  static override description = 'Exit code 2 when there is any; the monitor would not start with it.';

  static override examples = [
    { command: '<%= config.bin %> monitor policy check /etc/sockdoc/policy', description: 'Before a restart' },
  ];

  static override args = { file: Args.string({ description: 'A policy (docs/policy.md).', required: true }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MonitorPolicyCheck);
    const document = await checkPolicy(args.file);
    if (!document.ok && !flags.json)
      throw usageError(policyMistakes(document), { next: 'Example: allow uid=www-data with uid=postgres port=5432' });
    process.exitCode = document.ok ? EXIT.ok : EXIT.usage;
    const count = `${document.rules} ${document.rules === 1 ? 'rule' : 'rules'}`;
    await this.print(flags.json ? writeJson(document) : `${args.file} is fine: ${count}\n`);
  }
}
