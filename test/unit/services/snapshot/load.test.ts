import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { loadSnapshot } from '../../../../src/services/snapshot/load.js';
import { EXIT } from '../../../../src/support/errors.js';
import { snapshotText, workFolder } from '../../../support/cli.js';
import { troubled } from '../../../support/troubled.js';

const folder = workFolder();
afterAll(folder.remove);
const whole = snapshotText(troubled);
const packed = gzipSync(whole);
const cut = (share: number) => whole.slice(0, Math.floor(whole.length * share));

test.each([
  ['plain', 'whole.json', whole],
  ['packed', 'whole.json.gz', packed],
])('a %s snapshot is read', (_, name, content) => {
  expect(loadSnapshot(folder.file(name, content))).toEqual(JSON.parse(whole));
});

test.each<[string, string, string | Uint8Array, RegExp]>([
  ['an empty file', 'empty.json', '', /is empty/],
  ...[0.1, 0.5, 0.9, 0.999].map((share): [string, string, string, RegExp] => [
    `its first ${share * 100} %`,
    'cut.json',
    cut(share),
    /is truncated/,
  ]),
  ['half of a packed one', 'cut.json.gz', packed.subarray(0, packed.length / 2), /is truncated/],
  [
    'a packed one that is overwritten',
    'bad.json.gz',
    Buffer.concat([packed.subarray(0, 20), Buffer.alloc(50)]),
    /is damaged|is truncated/,
  ],
  ['text', 'text.json', 'hello', /is not JSON/],
  ['other JSON', 'foreign.json', '{"results":[]}', /not a snapshot of sockdoc/],
  ['null', 'null.json', 'null', /not a snapshot of sockdoc/],
  ['a report', 'report.json', '{"command":"check"}', /--save writes the snapshot/],
  ['a newer one', 'newer.json', whole.replace('"schemaVersion":1', '"schemaVersion":9'), /newer than this sockdoc/],
  ['a number among the readings', 'shape.json', whole.replace('"readings":[', '"readings":[1,'), /damaged: \/readings/],
  [
    'a namespace of another number',
    'mixed.json',
    whole.replace('"netns":[{"id":"4026531840"', '"netns":[{"id":"1"'),
    /is damaged/,
  ],
])('%s is told apart', (_, name, content, message) => {
  const path = folder.file(name, content);
  expect(() => loadSnapshot(path)).toThrow(
    expect.objectContaining({ code: EXIT.usage, message: expect.stringMatching(message) }),
  );
});

test('a folder is none', () => {
  expect(() => loadSnapshot(folder.path)).toThrow('is a directory');
});
