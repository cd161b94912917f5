import type { Gap } from '../../../model/gap.js';
import {
  currentNetns,
  type Namespace,
  namedNetns,
  netnsOfAllPids,
  netnsOfPid,
  whyNotEnterable,
} from '../../../probes/namespaces.js';
import { notPermitted, notPossible } from '../../../support/errors.js';

export interface Namespaces {
  namespaces: Namespace[];
  gaps: Gap[];
}

/** Which namespaces to read: those asked for, else those of the selected processes, else the current one. */
export async function chooseNamespaces(
  selector: string | undefined,
  pids: readonly number[] | undefined,
): Promise<Namespaces> {
  const current = currentNetns();
  if (selector === 'all') return everyNamespace(current);
  if (selector !== undefined) return asked([byName(selector)], current);
  if (pids !== undefined) return asked(ofProcesses(pids), current);
  return { namespaces: [current], gaps: [] };
}

/** Asked for by name: not being able to enter is an error. */
async function asked(chosen: readonly Namespace[], current: Namespace): Promise<Namespaces> {
  const namespaces = named(distinct(chosen), current);
  for (const namespace of namespaces) {
    const why = await whyNotEnterable(namespace);
    if (why) {
      throw notPermitted(`network namespace ${why.what} may not be entered: ${why.reason}`, {
        next: 'Entering another namespace needs CAP_SYS_ADMIN: run the same command with sudo.',
      });
    }
  }
  return { namespaces, gaps: [] };
}

/** Those that have a name or a process; what may not be entered is a gap. */
async function everyNamespace(current: Namespace): Promise<Namespaces> {
  const { namespaces: byPid, gaps } = await netnsOfAllPids();
  const all = named(distinct([current, ...namedNetns(), ...byPid]), current);
  const refusals = await Promise.all(all.map(whyNotEnterable));
  return {
    namespaces: all.filter((_, at) => refusals[at] === undefined),
    gaps: [...gaps, ...refusals.flatMap((why) => (why ? [{ ...why, needs: 'CAP_SYS_ADMIN' }] : []))],
  };
}

function byName(selector: string): Namespace {
  const names = namedNetns();
  const match = names.find((namespace) => namespace.name === selector || namespace.path === selector);
  if (match) return match;
  const pid = /^(?:\/proc\/)?(\d+)(?:\/ns\/net)?$/.exec(selector)?.[1];
  if (pid !== undefined) return ofProcess(Number(pid));
  const known = names.map((namespace) => namespace.name).join(', ');
  throw notPossible(`there is no network namespace named "${selector}"`, {
    next:
      known === ''
        ? 'No namespace has a name here; give a process id, or "all".'
        : `There are: ${known}; or give a process id, or "all".`,
  });
}

/** A process may have ended since it was selected. */
function ofProcesses(pids: readonly number[]): Namespace[] {
  const namespaces = pids.flatMap((pid) => {
    const namespace = netnsOfPid(pid);
    return 'error' in namespace && GONE.has(namespace.error) ? [] : [ofProcess(pid)];
  });
  if (namespaces.length > 0) return namespaces;
  throw notPossible('the selected processes have ended', { next: 'Run the command again.' });
}

/** ENOENT: no such process; ESRCH: it ended while its link was read. A zombie has no namespace any more. */
const GONE = new Set(['ENOENT', 'ESRCH']);

export function ofProcess(pid: number): Namespace {
  const namespace = netnsOfPid(pid);
  if (!('error' in namespace)) return namespace;
  if (namespace.error === 'ENOENT')
    throw notPossible(`there is no process ${pid}`, { next: 'List processes with: ps -e' });
  throw notPermitted(`the network namespace of process ${pid} may not be read: ${namespace.error}`, {
    next:
      process.geteuid?.() === 0
        ? 'CAP_SYS_PTRACE is missing here, or a security module or another user namespace protects this process.'
        : 'Looking into processes of other users needs CAP_SYS_PTRACE: run the same command with sudo.',
  });
}

function distinct(all: readonly Namespace[]): Namespace[] {
  const byId = new Map<string, Namespace>();
  for (const namespace of all) if (!byId.has(namespace.id)) byId.set(namespace.id, namespace);
  return [...byId.values()];
}

/** Our own is reached without entering; the others get the names that they have. */
function named(all: readonly Namespace[], current: Namespace): Namespace[] {
  const names = new Map(namedNetns().map((namespace) => [namespace.id, namespace.name]));
  return all.map((namespace) => {
    if (namespace.id === current.id) return current;
    const name = names.get(namespace.id);
    return name === undefined ? namespace : { ...namespace, name };
  });
}
