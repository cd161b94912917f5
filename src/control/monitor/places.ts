import { fileURLToPath } from 'node:url';

/** The socket of the monitor that serves all users. */
export const SYSTEM_SOCKET = '/run/sockdoc/monitor.sock';

/** As the monitor itself chooses (native/monitor/run_files.cc). */
export function ownSocket(env: NodeJS.ProcessEnv = process.env): string {
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return SYSTEM_SOCKET;
  const runtime = env.XDG_RUNTIME_DIR;
  return runtime?.startsWith('/') ? `${runtime}/sockdoc/monitor.sock` : `/tmp/sockdoc-${uid}/monitor.sock`;
}

/** Where a monitor may be that serves us: our own, then the system's. */
export function socketsToAsk(named: string | undefined): string[] {
  if (named !== undefined) return [named];
  return [...new Set([ownSocket(), SYSTEM_SOCKET])];
}

/** The daemon's program. */
export const monitorProgram = () => fileURLToPath(new URL('../../../build/release/sockdoc-monitor', import.meta.url));
