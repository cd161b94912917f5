let passed = 0;

/**
 * A place at which the program may be killed, and must leave a host that `tune revert` puts right. Tests kill it at each
 * of them in turn: SOCKDOC_TUNE_KILL_AT=3 ends it with SIGKILL at the third.
 */
export function crashPoint(): void {
  if (process.env.SOCKDOC_TUNE_KILL_AT === undefined) return;
  passed++;
  if (passed === Number(process.env.SOCKDOC_TUNE_KILL_AT)) process.kill(process.pid, 'SIGKILL');
}
