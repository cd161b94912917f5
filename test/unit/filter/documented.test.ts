import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseFilter } from '../../../src/filter/parse.js';
import { FILTER_FIELDS } from '../../../src/model/views/filter.js';

const text = readFileSync(new URL('../../../docs/filter.md', import.meta.url), 'utf8');
const rows = [...text.matchAll(/^\| (`[^|]*) \|[^|]*\| ([^|]*) \|$/gm)];
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);

test('the page names every field, and no other', () => {
  expect(rows.flatMap((row) => quoted(row[1] as string)).toSorted()).toEqual([...FILTER_FIELDS].toSorted());
});

test('the examples of the page are filters', () => {
  const examples = rows.flatMap((row) => quoted(row[2] as string));
  expect(examples.length).toBeGreaterThan(15);
  const block = /```\n(.*)\n```/.exec(text)?.[1];
  for (const example of [
    ...examples,
    block ?? '',
    'port:80,443',
    '!port:22',
    'cc:bbr*',
    'comm:"my server"',
    'rate>5MB/s',
  ])
    expect(parseFilter(example).length).toBeGreaterThan(0);
});
