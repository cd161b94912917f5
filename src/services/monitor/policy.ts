import { checkPolicyFile } from '../../control/monitor/daemon.js';
import type { MonitorPolicyDocument } from '../../model/monitor.js';

/** What the monitor would say of this policy. */
export async function checkPolicy(file: string): Promise<MonitorPolicyDocument> {
  const { rules, limits, errors } = await checkPolicyFile(file);
  return { schemaVersion: 1, command: 'monitor policy check', file, ok: errors.length === 0, rules, limits, errors };
}
