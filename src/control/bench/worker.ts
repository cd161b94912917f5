import { createInterface } from 'node:readline';
import { notPossible } from '../../support/errors.js';
import { benchProgram } from './places.js';
import type { Started, Workshop } from './workshop.js';

/** A program that answers with a line of JSON, first by itself, then to each line that it gets. */
export class Worker {
  private readonly lines: AsyncIterator<string>;

  constructor(
    readonly started: Started,
    private readonly name: string,
  ) {
    const { stdout } = started.child;
    if (!stdout) throw new Error('no stdout');
    this.lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.started.child.pid as number;
  }

  async next<T extends object>(): Promise<T> {
    const { value, done } = await this.lines.next();
    if (done) {
      const { code, signal, stderr } = await this.started.ended;
      throw notPossible(`${this.name} ended (${signal ?? `status ${code}`})${stderr === '' ? '' : `: ${stderr}`}`);
    }
    const answer = JSON.parse(value) as T & { error?: string };
    if (answer.error !== undefined) throw notPossible(`${this.name}: ${answer.error}`);
    return answer;
  }

  ask<T extends object>(line: string): Promise<T> {
    this.started.child.stdin?.write(`${line}\n`);
    return this.next<T>();
  }
}

/** Says how long a cache line takes between two CPUs, in nanoseconds, whenever it is asked. */
export class LineTransfer {
  private constructor(private readonly worker: Worker) {}

  static async start(workshop: Workshop, cpus: readonly number[]): Promise<LineTransfer> {
    const started = await workshop.start([benchProgram(), 'line', cpus.join(',')]);
    return new LineTransfer(new Worker(started, 'sockdoc-bench line'));
  }

  async ns(): Promise<number> {
    return (await this.worker.ask<{ lineTransferNs: number }>('')).lineTransferNs;
  }
}
