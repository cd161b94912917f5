// Writes the files of --persist for steps, says what a boot would see, and takes them back: persist-steps.mjs STEPS.json
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEntry } from '../../dist/services/tune/journal/files.js';
import { lineOf } from '../../dist/services/tune/journal/records.js';
import { persistSteps, restoreFiles } from '../../dist/services/tune/persist/persist.js';
import { lockTune } from '../../dist/services/tune/state.js';

const steps = JSON.parse(readFileSync(process.argv[2], 'utf8'));
lockTune('a test');
const header = { type: 'entry', schemaVersion: 1, id: 'test', netns: {}, rows: [] };
writeFileSync(join(process.env.SOCKDOC_STATE_DIR, 'tune/test.journal'), lineOf(header));
const lasting = await persistSteps(header, steps);
const files = readEntry('test').entry.files;
const texts = Object.fromEntries(files.map(({ file, link }) => [file, link ? 'link' : readFileSync(file, 'utf8')]));
const modes = Object.fromEntries(files.map(({ file }) => [file, (lstatSync(file).mode & 0o777).toString(8)]));
const { restored, kept } = restoreFiles(files);
process.stdout.write(
  JSON.stringify({ ...lasting, texts, modes, restored, kept, left: files.filter(({ file }) => existsSync(file)) }),
);
