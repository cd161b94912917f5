import { fileURLToPath } from 'node:url';

/** What is measured, and what starts others for it. */
export const benchProgram = () => fileURLToPath(new URL('../../../build/release/sockdoc-bench', import.meta.url));

/** The command itself, for `sockdoc run`. */
export const sockdocCommand = () => [process.execPath, fileURLToPath(new URL('../../../bin/run.js', import.meta.url))];
