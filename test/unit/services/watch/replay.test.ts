import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { parseFilter } from '../../../../src/filter/parse.js';
import type { Frame } from '../../../../src/model/views/frame.js';
import { oneFrame, openSource } from '../../../../src/services/watch/open.js';
import { recorded } from '../../../../src/services/watch/record.js';
import { Recording } from '../../../../src/services/watch/recording.js';
import { replaySource } from '../../../../src/services/watch/replay.js';
import type { FrameSource } from '../../../../src/services/watch/source.js';
import { workFolder } from '../../../support/cli.js';
import { connectionsOf, frameOf, requestOf } from '../../../support/recorded-frames.js';

const folder = workFolder();
afterAll(folder.remove);
const path = (name: string) => join(folder.path, name);

const frames = Array.from({ length: 4 }, (_, i) =>
  frameOf({
    takenAt: new Date(Date.UTC(2026, 0, 2, 3, 4, i)).toISOString(),
    intervalMs: i === 0 ? 0 : 1000,
    connections: connectionsOf(3 + i),
  }),
);

const given: FrameSource = {
  refresh() {},
  async *start() {
    yield* frames;
  },
};

async function all(source: FrameSource, request = requestOf()): Promise<Frame[]> {
  const taken: Frame[] = [];
  for await (const frame of source.start(request, new AbortController().signal)) taken.push(frame);
  return taken;
}

describe.each(['plain.ndjson', 'packed.ndjson.gz'])('a recording %s', (name) => {
  test('holds the frames that went through it, for its owner only', async () => {
    expect(await all(recorded(given, path(name)))).toEqual(frames);
    expect(statSync(path(name)).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(path(name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(frames);
    expect(await all(replaySource(path(name), { atOnce: true }))).toEqual(frames);
  });

  test('cut at any byte still gives every frame that is whole', () => {
    const bytes = readFileSync(path(name));
    const part = path(`part-${name}`);
    let most = 0;
    for (let size = 0; size < bytes.length; size += 7) {
      writeFileSync(part, bytes.subarray(0, size));
      let recording: Recording;
      try {
        recording = new Recording(part);
      } catch (error) {
        expect(most, `cut at ${size}`).toBe(0);
        expect((error as Error).message).toMatch(/is empty|before its first frame/);
        continue;
      }
      expect(recording.count).toBeGreaterThanOrEqual(most);
      most = recording.count;
      for (let i = 0; i < most; i++) expect(recording.frame(i)).toEqual(frames[i]);
    }
    expect(most).toBeGreaterThanOrEqual(3);
    expect(new Recording(path(name)).isCut).toBe(false);
    expect(new Recording(part).isCut).toBe(true);
  });

  test('never replaces a file', () => {
    expect(() => recorded(given, path(name))).toThrow(/exists already/);
  });
});

describe('what is wrong with a recording is told apart', () => {
  const line = (frame: unknown) => `${JSON.stringify(frame)}\n`;
  test.each([
    ['empty', '', /is empty/],
    ['text', 'hello\n', /its first line is not JSON/],
    ['other JSON', line({ command: 'check', results: [] }), /no recording of sockdoc top/],
    ['newer', line({ ...frameOf(), schemaVersion: 2, version: '9.9.9' }), /newer than this sockdoc/],
    ['a field of another type', line({ ...frameOf(), hostname: 7 }), /damaged in frame 1: \/hostname/],
    ['damaged gzip', gzipSync(line(frameOf())).fill(0x55, 12), /cannot be unpacked/],
  ])('%s', (name, content, problem) => {
    const file = folder.file(`wrong-${name}`, content);
    expect(() => new Recording(file)).toThrow(problem);
  });

  test('a frame in the middle is only found out when it is reached', () => {
    const file = folder.file('middle', `${line(frames[0])}{"broken\n${line(frames[1])}`);
    const recording = new Recording(file);
    expect(recording.count).toBe(3);
    expect(() => recording.frame(1)).toThrow(/damaged in frame 2/);
  });

  test.each(['nowhere/at/all', '.'])('%s', (name) => {
    expect(() => new Recording(path(name))).toThrow(/does not exist|is a directory/);
    expect(() => recorded(given, path(name))).toThrow(/no such folder|is a directory/);
  });
});

describe('playing', () => {
  const play = (parts = {}) => {
    const source = replaySource(path('plain.ndjson'));
    const request = requestOf(parts);
    const ended = new AbortController();
    const iterator = source.start(request, ended.signal)[Symbol.asyncIterator]();
    const next = async () => (await iterator.next()).value?.takenAt;
    return { source, request, next, ended, iterator };
  };

  test('steps forwards and backwards while paused, never beyond the ends', async () => {
    const { source, next, ended, iterator } = play();
    source.isPaused = true;
    expect(await next()).toBe(frames[0]?.takenAt);
    for (const [by, at] of [
      [1, 1],
      [-1, 0],
      [-5, 0],
      [9, 3],
    ] as const) {
      source.step(by);
      expect(await next()).toBe(frames[at]?.takenAt);
      expect(source.position).toBe(at);
    }
    ended.abort();
    expect((await iterator.next()).done).toBe(true);
  });

  test('goes on by itself and stays at the last frame', async () => {
    const { source, next, ended, iterator } = play();
    source.speed = 64;
    for (const frame of frames) expect(await next()).toBe(frame.takenAt);
    const waiting = iterator.next();
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 150, 'still waiting'))])).toBe(
      'still waiting',
    );
    ended.abort();
    expect((await waiting).done).toBe(true);
  });

  test('a changed request is answered from the frame that is shown', async () => {
    const { source, request, iterator } = play();
    source.isPaused = true;
    await iterator.next();
    Object.assign(request, { filter: parseFilter('lport:2001'), sort: 'port' });
    source.refresh();
    const frame = (await iterator.next()).value as Frame;
    expect(frame.takenAt).toBe(frames[0]?.takenAt);
    expect(frame.connections.map(({ local }) => local)).toEqual(['10.0.0.1:2001']);
    expect(frame.totals?.matching).toBe(1);
    await iterator.return?.();
  });
});

test('one frame is the first that knows rates', async () => {
  const target = { pids: [] };
  const { source, player } = openSource({ target, replay: path('plain.ndjson'), atOnce: true });
  expect(player?.count).toBe(4);
  const { signal } = new AbortController();
  expect((await oneFrame(source, requestOf(), signal))?.takenAt).toBe(frames[1]?.takenAt);
});
