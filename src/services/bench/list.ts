import type { BenchListDocument } from '../../model/bench.js';
import { programFile } from './programs.js';
import { SUITES } from './suites.js';

/** The suites, and whether this host has what they need. */
export const listSuites = (): BenchListDocument => ({
  schemaVersion: 1,
  command: 'bench list',
  suites: SUITES.map(({ id, title, measures, transports, programs }) => ({
    id,
    title,
    measures,
    transports: [...transports],
    programs: programs.map((program) => ({ ...program, installed: programFile(program.name) !== undefined })),
  })),
});
