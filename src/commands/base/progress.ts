import { terminalOf } from '../../support/terminal.js';

/** Shorter work needs no bar. */
const WORTH_SHOWING_MS = 500;
const BAR = 24;

/** A bar on stderr while work of a known length goes on, when a person watches; nothing of it stays. */
export async function withProgress<T>(label: string, totalMs: number, work: () => Promise<T>): Promise<T> {
  const { interactive, unicode } = terminalOf(process.stderr);
  if (!interactive || totalMs < WORTH_SHOWING_MS) return work();
  const start = performance.now();
  const draw = () => {
    const share = Math.min(1, (performance.now() - start) / totalMs);
    const full = Math.round(share * BAR);
    const bar = (unicode ? '━' : '#').repeat(full) + (unicode ? '─' : '.').repeat(BAR - full);
    process.stderr.write(`\r${label} ${bar} ${Math.round(share * 100)} %`);
  };
  draw();
  const timer = setInterval(draw, 100);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    process.stderr.write('\r\u001b[K');
  }
}
