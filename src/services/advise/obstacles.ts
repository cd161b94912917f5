import { askMonitor } from '../../control/monitor/client.js';
import { TYPE } from '../../control/monitor/messages.js';
import { socketsToAsk } from '../../control/monitor/places.js';
import type { Obstacle } from '../../model/advise.js';
import { whyUnattachable } from '../../probes/attachable.js';
import type { PairReading } from './readings.js';

/** Who may share memory: the name of the policy's file, or that only processes of one user may. */
export interface Policy {
  path?: string;
}

/** That of the monitor that would serve; the built-in one where none runs. */
export async function policyNow(): Promise<Policy> {
  for (const socket of socketsToAsk(undefined)) {
    try {
      const answer = await askMonitor(socket, TYPE.status, 1000);
      if (answer?.type !== TYPE.text) continue;
      const { policy } = JSON.parse(answer.body.toString('utf8')) as { policy?: Policy };
      return policy?.path === undefined ? {} : { path: policy.path };
    } catch {
      // One that says nothing has no policy that could be known.
    }
  }
  return {};
}

/** What stands in the way of moving a pair's connections. Each process is looked at once. */
export class Obstacles {
  readonly #known = new Map<number, Obstacle[]>();

  constructor(private readonly policy: Policy) {}

  of({ pair, client, server }: PairReading): Obstacle[] {
    const ends = client.pid === server.pid ? [client] : [client, server];
    const ofProcesses = ends.flatMap(({ pid, underLibsd }) => (underLibsd ? [] : this.#ofProcess(pid)));
    return [...ofProcesses, ...this.#ofPair(pair, client, server)];
  }

  #ofProcess(pid: number): Obstacle[] {
    const known = this.#known.get(pid);
    if (known) return known;
    const why = whyUnattachable(pid);
    const found = why === undefined ? [] : [{ pid, ...why, blocks: true }];
    this.#known.set(pid, found);
    return found;
  }

  #ofPair(pair: PairReading['pair'], client: PairReading['client'], server: PairReading['server']): Obstacle[] {
    const found: Obstacle[] = [];
    if (client.uid !== server.uid) found.push(this.#acrossUsers(client.uid, server.uid));
    if (pair.severalHolders > 0)
      found.push({
        code: 'shared',
        reason: `${pair.severalHolders} of ${pair.connections} connections are held by more than one process`,
        next: 'Move all of them: --with-children.',
        blocks: false,
      });
    return found;
  }

  #acrossUsers(a: number, b: number): Obstacle {
    const users = `the two run as users ${a} and ${b}`;
    if (this.policy.path !== undefined)
      return { code: 'policy', reason: `${users}: the policy ${this.policy.path} decides`, blocks: false };
    return {
      code: 'policy',
      reason: `${users}, and without a policy that allows it users share no memory`,
      next: 'Allow it in /etc/sockdoc/policy, and check that: sockdoc monitor policy check /etc/sockdoc/policy',
      blocks: true,
    };
  }
}
