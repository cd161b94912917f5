import { interrupted } from './errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work that a signal may stop. The signal aborts the controller with a SockdocError as its reason; work that does
 * not look at the controller is left behind, so that Ctrl-C answers at once; with `mayFinish` the work itself decides
 * whether it ends with what it has. A second signal ends the program the hard way, unless it `mustFinish`: work that
 * would leave a host half changed, and is soon over.
 */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { mustFinish = false, mayFinish = mustFinish }: { mustFinish?: boolean; mayFinish?: boolean } = {},
): Promise<T> {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted && mustFinish) return;
    if (controller.signal.aborted) process.exit(controller.signal.reason.code);
    controller.abort(interrupted(name as (typeof SIGNALS)[number], { next: 'Nothing was changed or half written.' }));
  };
  for (const name of SIGNALS) process.on(name, stop);
  try {
    const working = work(controller.signal);
    return await (mayFinish ? working : Promise.race([working, rejection(controller.signal)]));
  } finally {
    for (const name of SIGNALS) process.off(name, stop);
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
