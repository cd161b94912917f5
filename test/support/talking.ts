import { monitorStatus } from '../../src/services/monitor/status.js';
import { LIBSD } from './libsd.js';
import { MonitorBench } from './monitor.js';
import { poll } from './poll.js';
import { startProgram, type Victim } from './victim.js';

/** What libsd says of the socket: native/preload/libsd.h. */
export interface State {
  mapped: boolean;
  reason: number;
  sendsByRing: number;
  receivesByRing: number;
  sent: number;
  received: number;
  ringSent: number;
  ringReceived: number;
}

/** What came of a line; `wrong` bytes were not those that belong at their place in the stream. */
export interface Done {
  result: number;
  errno: string;
  sent: number;
  received: number;
  wrong: number;
}

/** What fixtures/programs/libsd/talk.c says to a line. */
export const ask = async <T>(program: Victim, line: string): Promise<T> => {
  const said = await program.tell(line);
  return JSON.parse(said.slice(said.indexOf(' ') + 1));
};
export const state = (program: Victim) => ask<State>(program, 'state');

type Ends = [Victim, Victim];

/** Both at once; nothing went wrong on either side. */
export async function together(ends: Ends, server: string, client: string): Promise<Done[]> {
  const done = await Promise.all([ask<Done>(ends[0], server), ask<Done>(ends[1], client)]);
  for (const { result, wrong } of done) {
    if (result !== 0 || wrong !== 0) throw new Error(`${server} and ${client}: ${JSON.stringify(done)}`);
  }
  return done;
}

/** Messages to and fro until both ends have used their ring. */
export async function upgraded(ends: Ends): Promise<void> {
  for (let round = 0; round < 200; round++) {
    await together(ends, 'both 20', 'both 20');
    const [one, other] = [await state(ends[0]), await state(ends[1])];
    if (one.ringSent > 0 && other.ringSent > 0 && one.ringReceived > 0 && other.ringReceived > 0) return;
  }
  throw new Error(`never by ring: ${JSON.stringify(await state(ends[0]))} ${JSON.stringify(await state(ends[1]))}`);
}

/** Programs that talk to each other under libsd, with a monitor of their own. */
export class Talking {
  readonly bench = new MonitorBench();
  private readonly programs: Victim[] = [];

  env(more: Record<string, string> = {}): Record<string, string> {
    return { LD_PRELOAD: LIBSD, SOCKDOC_MONITOR: this.bench.socket, SOCKDOC_AFTER_CALLS: '1', ...more };
  }

  /** "listen", or the port to connect to. `prefix`: put before the program. */
  async program(to: string | number, more: Record<string, string> = {}, prefix: readonly string[] = []) {
    const program = await startProgram('libsd/talk.c', [to], { env: this.env(more), prefix });
    this.programs.push(program);
    return program;
  }

  /** Two ends of one connection: who accepted, and who connected. */
  async pair(more: Record<string, string> = {}, prefix: readonly string[] = []): Promise<Ends> {
    const server = await this.program('listen', more, prefix);
    return [server, await this.program(server.ready, more)];
  }

  /** A connection by memory, where `bytes` lie unread for the second program. */
  async unread(bytes: number): Promise<Ends> {
    const ends = await this.pair();
    await upgraded(ends);
    const before = (await state(ends[0])).ringSent;
    const { result, wrong } = await ask<Done>(ends[0], `push ${bytes}`);
    const { ringSent } = await state(ends[0]);
    if (result !== 0 || wrong !== 0 || ringSent <= before)
      throw new Error(`${bytes} bytes not by the ring: ${ringSent}`);
    return ends;
  }

  /** Connections that the monitor has counted as reset. */
  async resets(): Promise<number | undefined> {
    return (await monitorStatus(this.bench.socket)).resets;
  }

  /** Once it has counted one whose unread bytes went back to the kernel. */
  async returned(): Promise<void> {
    await poll('it is counted', async () => (await monitorStatus(this.bench.socket)).returned === 1);
  }

  async remove(): Promise<void> {
    for (const program of this.programs) await program.stop();
    await this.bench.remove();
  }
}
