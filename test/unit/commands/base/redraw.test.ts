import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { Redraw } from '../../../../src/commands/base/redraw.js';

function screen(rows: number) {
  const events = Object.assign(new EventEmitter(), { rows });
  const written: string[] = [];
  const redraw = new Redraw(events, async (text) => void written.push(text));
  return { events, written, redraw };
}

test('the second frame goes back by the height of the first and clears what is longer', async () => {
  const { redraw, written } = screen(24);
  await redraw.show('one\ntwo\nthree\n');
  await redraw.show('1\n');
  expect(written).toEqual([
    '\u001b[?7lone\u001b[K\ntwo\u001b[K\nthree\u001b[K\n\u001b[J\u001b[?7h',
    '\u001b[?7l\u001b[3A\r1\u001b[K\n\u001b[J\u001b[?7h',
  ]);
});

test('a frame is never higher than the terminal, and a resize begins anew', async () => {
  const { redraw, written, events } = screen(3);
  await redraw.show('1\n2\n3\n4\n');
  expect(written[0]).not.toContain('3');
  events.emit('resize');
  await redraw.show('5\n');
  expect(written[1]).toContain('\u001b[H\u001b[2J');
  redraw.forget();
  await redraw.show('6\n');
  expect(written[2]).toBe('\u001b[?7l6\u001b[K\n\u001b[J\u001b[?7h');
  redraw.end();
  expect(events.listenerCount('resize')).toBe(0);
});
