import { describe, expect, test } from 'vitest';
import { shortLivedOf } from '../../../src/probes/connection-events.js';
import type { EndedGroup, EventsAnswer } from '../../../src/probes/native.js';

const group = (fields: Partial<EndedGroup>): EndedGroup => ({
  side: 'connecting',
  port: 443,
  count: 1,
  bytesSent: 10,
  bytesReceived: 20,
  ...fields,
});

const netns = (fields: Partial<EventsAnswer['netns'][number]>) => ({
  path: '',
  id: '1',
  ended: 1,
  lost: false,
  groups: [],
  ...fields,
});

const answer = (...all: EventsAnswer['netns']): EventsAnswer => ({
  source: 'tracepoint',
  windowMs: 2000,
  netns: all,
  gaps: [],
});

const owners = [{ id: '1', listeners: [{ port: 80, owners: [{ pid: 7, comm: 'nginx', fd: 3 }] }] }];

describe('what ended', () => {
  test('belongs to the process that connected, or to the owner of the port', () => {
    const view = shortLivedOf(
      answer(
        netns({
          ended: 9,
          groups: [
            group({ pid: 5, comm: 'curl', count: 4 }),
            group({ side: 'accepting', port: 80, count: 3, pid: 6, comm: 'before' }),
            group({ side: 'accepting', port: 81, count: 1 }),
          ],
        }),
      ),
      owners,
    );
    expect(view).toMatchObject({ ended: 9, endedPerS: 4.5, unattributed: 2, lost: false });
    expect(view?.by).toEqual([
      { side: 'connecting', port: 443, pid: 5, comm: 'curl', count: 4, bytesSent: 10, bytesReceived: 20 },
      { side: 'accepting', port: 80, pid: 7, comm: 'nginx', count: 3, bytesSent: 10, bytesReceived: 20 },
      { side: 'accepting', port: 81, count: 1, bytesSent: 10, bytesReceived: 20 },
    ]);
  });

  test('belongs to who began to listen where no reading showed the listener', () => {
    const gone = group({ side: 'accepting', port: 8080, pid: 9, comm: 'gone' });
    expect(shortLivedOf(answer(netns({ groups: [gone] })), owners)?.by[0]).toMatchObject({ pid: 9, comm: 'gone' });
  });

  test('of another namespace has its own listeners', () => {
    const accepted = { groups: [group({ side: 'accepting', port: 80 })] };
    const view = shortLivedOf(answer(netns(accepted), netns({ id: '2', ...accepted })), owners);
    expect(view).toMatchObject({ ended: 2, unattributed: 1 });
    expect(view?.by.map(({ pid }) => pid)).toEqual([7, undefined]);
  });

  test('is unknown, not none, without a subscription', () => {
    expect(shortLivedOf(answer(), owners)).toBeUndefined();
  });

  test('is a lower bound when one namespace lost events, and `unseen` unknown when one does not know it', () => {
    const view = shortLivedOf(answer(netns({ unseen: 1, lost: true }), netns({ id: '2' })), owners);
    expect(view).toMatchObject({ lost: true });
    expect(view).not.toHaveProperty('unseen');
    expect(shortLivedOf(answer(netns({ unseen: 1 }), netns({ id: '2', unseen: 2 })), [])?.unseen).toBe(3);
  });

  test('of very many processes shares rows by name', () => {
    const groups = Array.from({ length: 5000 }, (_, i) => group({ pid: i + 1, comm: i < 4990 ? 'curl' : `p${i}` }));
    const view = shortLivedOf(answer(netns({ ended: 5000, groups })), owners);
    expect(view?.unattributed).toBe(0);
    expect(view?.by).toHaveLength(11);
    expect(view?.by[0]).toEqual({
      side: 'connecting',
      port: 443,
      comm: 'curl',
      processes: 4990,
      count: 4990,
      bytesSent: 49_900,
      bytesReceived: 99_800,
    });
    expect(view?.by[1]).toMatchObject({ count: 1, pid: 4991 });
  });

  test('has at most 100 rows', () => {
    const groups = Array.from({ length: 300 }, (_, i) => group({ port: i + 1, count: i }));
    const rows = shortLivedOf(answer(netns({ groups })), [])?.by;
    expect(rows).toHaveLength(100);
    expect(rows?.[0]).toMatchObject({ port: 300, count: 299 });
  });
});
