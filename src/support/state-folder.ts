import { join } from 'node:path';

export const STATE_OF_ROOT = '/var/lib/sockdoc';

/**
 * Where what must outlive us is kept: SOCKDOC_STATE_DIR, else /var/lib/sockdoc for root and $XDG_STATE_HOME/sockdoc for a
 * user.
 */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SOCKDOC_STATE_DIR?.startsWith('/')) return env.SOCKDOC_STATE_DIR;
  if (process.geteuid?.() === 0) return STATE_OF_ROOT;
  if (env.XDG_STATE_HOME?.startsWith('/')) return join(env.XDG_STATE_HOME, 'sockdoc');
  return join(env.HOME ?? '/', '.local/state/sockdoc');
}
