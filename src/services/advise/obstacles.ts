import { attach, hasInjector } from '../../control/inject/client.js';
import { askMonitor } from '../../control/monitor/client.js';
import { TYPE } from '../../control/monitor/messages.js';
import { socketsToAsk } from '../../control/monitor/places.js';
import type { Obstacle } from '../../model/advise.js';
import type { PairReading } from './readings.js';

/** Who may share memory: the name of the policy's file, or that only processes of one user may. */
interface Policy {
  path?: string;
}

/** As a part of a sentence. */
const plainly = (reason: string) => reason.replace(/\.$/, '');

/** That of the monitor that would serve; the built-in one where none runs. */
async function policyNow(): Promise<Policy> {
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

/** What stands in the way of moving connections of pairs. */
export class Obstacles {
  private constructor(
    private readonly policy: Policy,
    private readonly ofProcesses: ReadonlyMap<number, Obstacle>,
  ) {}

  /** Asks the injector about each process: it looks, and does nothing. */
  static async lookFor(pairs: readonly PairReading[]): Promise<Obstacles> {
    const ends = pairs.flatMap(({ client, server }) => [client, server]).filter(({ underLibsd }) => !underLibsd);
    const pids = [...new Set(ends.map(({ pid }) => pid))];
    const looked = pids.length > 0 && hasInjector() ? await attach(pids, '', { dryRun: true }) : [];
    const refused = looked.filter(({ state, code }) => state === 'refused' && code !== 'already');
    const found = refused.map(({ pid, code = 'refused', reason = '', next }): [number, Obstacle] => [
      pid,
      { pid, code, reason: plainly(reason), ...(next === undefined ? {} : { next }), blocks: true },
    ]);
    return new Obstacles(await policyNow(), new Map(found));
  }

  of({ pair, client, server }: PairReading): Obstacle[] {
    const pids = new Set([client.pid, server.pid]);
    const ofProcesses = [...pids].flatMap((pid) => this.ofProcesses.get(pid) ?? []);
    return [...ofProcesses, ...this.#ofPair(pair, client, server)];
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
