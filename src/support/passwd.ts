import { userInfo } from 'node:os';

// Containers run programs as users that passwd does not have. oclif and what it uses ask it for a home and a shell as soon as they are
// loaded, and end the process where there is no answer: bin/run.js loads this module before them.
try {
  userInfo();
} catch {
  process.env.SHELL ??= '/bin/sh';
  process.env.HOME ??= '/';
}
