import { lstat, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The socket of the monitor that serves all users. */
export const SYSTEM_SOCKET = '/run/sockdoc/monitor.sock';

/** As the monitor itself chooses (native/monitor/run_files.cc). */
export function ownSocket(env: NodeJS.ProcessEnv = process.env): string {
  return `${ownFolders(env)[0]}/monitor.sock`;
}

/** Folders for what lives as long as this boot and is this user's alone; the first one is the usual. */
export function ownFolders(env: NodeJS.ProcessEnv = process.env): [string, ...string[]] {
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return ['/run/sockdoc'];
  const temporary = `/tmp/sockdoc-${uid}`;
  const runtime = env.XDG_RUNTIME_DIR;
  return runtime?.startsWith('/') ? [`${runtime}/sockdoc`, temporary] : [temporary];
}

/** The monitors of ordinary users, each of which serves its user's processes only. */
export async function usersSockets(): Promise<{ uid: number; socket: string }[]> {
  const [runtime, temporary] = await Promise.all(['/run/user', '/tmp'].map((path) => readdir(path).catch(() => [])));
  const folders = [
    ...(runtime ?? []).map((name) => ({ uid: Number(name), folder: `/run/user/${name}/sockdoc` })),
    ...(temporary ?? []).map((name) => ({
      uid: Number(/^sockdoc-(\d+)$/.exec(name)?.[1]),
      folder: `/tmp/${name}`,
    })),
  ].filter(({ uid }) => Number.isInteger(uid));
  const found = await Promise.all(
    folders.map(async ({ uid, folder }) => {
      const socket = `${folder}/monitor.sock`;
      const [within, itself] = await Promise.all([lstat(folder), lstat(socket)]).catch(() => []);
      // Nobody else may have put it there.
      const own = within?.isDirectory() && within.uid === uid && (within.mode & 0o077) === 0;
      return own && itself?.isSocket() && itself.uid === uid ? [{ uid, socket }] : [];
    }),
  );
  return found.flat();
}

/** Where a monitor may be that serves us: the named one, that of SOCKDOC_MONITOR, or our own and the system's. */
export function socketsToAsk(named: string | undefined): string[] {
  const wanted = named ?? process.env.SOCKDOC_MONITOR;
  if (wanted) return [wanted];
  return [...new Set([ownSocket(), SYSTEM_SOCKET])];
}

/** The daemon's program. */
export const monitorProgram = () => fileURLToPath(new URL('../../../build/release/sockdoc-monitor', import.meta.url));

/** The library that programs are run with; there is none for other processors than x86-64. */
export const libsd = () => fileURLToPath(new URL('../../../build/release/libsd.so', import.meta.url));
