import { expect, test } from 'vitest';
import { History } from '../../../src/ui/state/history.js';
import { initialState, TABS } from '../../../src/ui/state/state.js';
import { Painter } from '../../../src/ui/terminal/painter.js';
import { screenOf } from '../../../src/ui/views/screen.js';
import { leftBehind } from '../../support/heap.js';
import { connectionsOf, frameOf } from '../../support/recorded-frames.js';

// As the command sets it: what React notes down for developers stays.
process.env.NODE_ENV = 'production';
const { InkScreen } = await import('../../../src/ui/app.js');

/** If one line of each screen stayed, that would be more. */
const BYTES_OF_A_LINE = 150;
const [COLUMNS, ROWS] = [100, 24];

/** Nothing on it was there before: other connections, processes, numbers and times. */
function frameAt(index: number) {
  const connections = connectionsOf(60, (i) => ({
    cookie: `${index}-${i}`,
    local: `10.${index & 255}.${i}.1:${index}`,
    comm: `p${index}`,
    pid: 1000 + index * 60 + i,
    rttUs: index * 60 + i,
  }));
  const takenAt = new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString();
  return frameOf({ takenAt, connections, gaps: [{ probe: 'test', what: `thing ${index}`, reason: 'it is a test' }] });
}

test('screens leave nothing behind', { timeout: 120_000 }, async () => {
  const [ink, painter, history] = [new InkScreen(), new Painter(), new History()];
  const show = (index: number) => {
    const frame = frameAt(index);
    // A graph remembers its last minutes, and no more.
    history.add({ ...frame, connections: frame.connections.slice(0, 1) });
    const state = { ...initialState([]), tab: TABS[index % 3 === 0 ? 0 : index % TABS.length] ?? 'connections' };
    const { lines } = screenOf({
      frame,
      state,
      history,
      style: { colour: true, unicode: true },
      size: { columns: COLUMNS, rows: ROWS },
      origin: { intervalMs: 1000 },
    });
    painter.update(ink.layOut(lines, COLUMNS), COLUMNS, ROWS);
  };
  expect(await leftBehind(100, show)).toBeLessThan(BYTES_OF_A_LINE);
  ink.close();
});
