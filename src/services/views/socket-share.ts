import type { Gap } from '../../model/gap.js';
import type { ProcessRow } from '../../model/views/processes.js';
import { SAMPLES, SocketShareProbe } from '../../probes/native.js';

export type SocketShare = Required<
  Pick<ProcessRow, 'socketShare' | 'socketShareSamples' | 'socketUpkeepShare' | 'asideShare'>
>;

export interface SocketShareReading {
  /** By pid; a process that did not run while samples were taken has none. */
  shares: Map<number, SocketShare>;
  gaps: Gap[];
}

/**
 * The share of their CPU time that processes spend in socket calls, reading after reading. Sampling runs from the first
 * reading, which has no shares, to close().
 */
export class SocketShareReader {
  #probe: SocketShareProbe | undefined;

  constructor(private readonly hertz: number = SAMPLES.seldom) {}

  async read(pids: readonly number[]): Promise<SocketShareReading> {
    if (!this.#probe) {
      this.#probe = new SocketShareProbe();
      await this.#probe.start(this.hertz);
      const { gaps } = await this.#probe.read([]);
      return { shares: new Map(), gaps };
    }
    const { processes = [], gaps } = await this.#probe.read([...pids]);
    return {
      shares: new Map(
        processes.map(({ pid, samples, socket, upkeep, aside }) => [
          pid,
          {
            socketShare: socket / samples,
            socketUpkeepShare: upkeep / samples,
            socketShareSamples: samples,
            asideShare: aside / samples,
          },
        ]),
      ),
      gaps,
    };
  }

  /** A reading under way ends first. */
  async close(): Promise<void> {
    const probe = this.#probe;
    this.#probe = undefined;
    await probe?.stop();
  }
}
