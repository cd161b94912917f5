import { expect, test } from 'vitest';
import { type FileProbe, parseAll } from '../../../src/probes/files.js';
import { answerOf } from '../../support/found.js';

const length: FileProbe<number> = {
  name: 'length',
  wants: { files: ['/a'] },
  parse: (found) => (found.required('/a', 'CAP_X') ?? '').length,
};
const broken: FileProbe<number> = {
  name: 'broken',
  wants: { files: ['/b'] },
  parse() {
    throw new Error('no such column');
  },
};

test('a part that fails is a gap and takes no other with it', () => {
  const { parts, gaps } = parseAll({ broken, length }, answerOf({ files: { '/a': 'four' } }));
  expect(parts).toEqual({ length: 4 });
  expect(gaps).toEqual([{ probe: 'broken', what: 'broken', reason: 'not understood: no such column' }]);
});

test('a required file: what is denied names the privilege, what is not there does not', () => {
  const gapsWith = (code: string) => parseAll({ length }, answerOf({ errors: { '/a': code } })).gaps;
  expect(gapsWith('EACCES')).toEqual([{ probe: 'length', what: '/a', reason: 'permission denied', needs: 'CAP_X' }]);
  expect(gapsWith('ENOENT')).toEqual([{ probe: 'length', what: '/a', reason: 'not there' }]);
  expect(gapsWith('EOPNOTSUPP')).toEqual([{ probe: 'length', what: '/a', reason: 'EOPNOTSUPP' }]);
});

test('an empty file is hidden, as container engines mask files', () => {
  const { parts, gaps } = parseAll({ length }, answerOf({ files: { '/a': '' } }));
  expect(parts).toEqual({ length: 0 });
  expect(gaps).toEqual([{ probe: 'length', what: '/a', reason: 'empty: hidden by a mount' }]);
});

test('gaps of the reading itself are kept', () => {
  const gap = { probe: 'files', what: 'setns', reason: 'Operation not permitted' };
  expect(parseAll({}, answerOf({ gaps: [gap] })).gaps).toEqual([gap]);
});
