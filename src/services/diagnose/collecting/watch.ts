import type { Observed } from '../../../model/snapshot/index.js';
import { collectKernelLog } from '../../../probes/kernel-log.js';
import { DropProbe } from '../../../probes/native.js';
import type { GapList } from './gaps.js';

/** What is watched for between the two readings. */
export interface Watch {
  /** Ends it, also before it has begun; what was seen. Calling it again gives the same. */
  end(): Promise<Pick<Observed, 'drops'>>;
}

/** Counts dropped packets until it is ended. */
export function startWatch(gaps: GapList): Watch {
  const begun = gaps.attempt('drops', async () => {
    const probe = new DropProbe();
    gaps.add(...(await probe.start()).gaps);
    return probe;
  });
  let ended: ReturnType<Watch['end']> | undefined;
  const end = async () => {
    const probe = await begun;
    const answer = probe && (await gaps.attempt('drops', () => probe.stop()));
    gaps.add(...(answer?.gaps ?? []));
    return answer?.drops ? { drops: answer.drops } : {};
  };
  return {
    end() {
      ended ??= end();
      return ended;
    },
  };
}

/** Read last, so that the lines of the window are in it. */
export async function readLog(gaps: GapList): Promise<Pick<Observed, 'kernelLog'>> {
  const answer = await gaps.attempt('kernel log', collectKernelLog);
  gaps.add(...(answer?.gaps ?? []));
  return answer?.kernelLog ? { kernelLog: answer.kernelLog } : {};
}
