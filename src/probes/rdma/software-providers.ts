import type { Gap } from '../../model/gap.js';
import type { RdmaStack } from '../../model/snapshot/index.js';
import type { FilesAnswer } from '../native.js';

type Provider = RdmaStack['softwareProviders'][number];

/** soft-RoCE and soft-iWARP: RDMA over any Ethernet interface, without offload. */
const MODULES = { rxe: 'rdma_rxe', siw: 'siw' } as const;

export function softwareProviderFiles(release: string): string[] {
  const folder = `/lib/modules/${release}`;
  return ['/proc/modules', `${folder}/modules.dep`, `${folder}/modules.builtin`];
}

/**
 * Whether this kernel has them: loaded or built in, as a module on disk, or not at all. A kernel that takes modules,
 * of which no list is on disk here (as in a container), leaves it open: then there is no entry and a gap.
 */
export function softwareProviders(
  { files }: Pick<FilesAnswer, 'files'>,
  release: string,
): { providers: Provider[]; gaps: Gap[] } {
  const [loaded, onDisk, builtIn] = softwareProviderFiles(release).map((path) => files[path]);
  const providers = (['rxe', 'siw'] as const).flatMap((name): Provider[] => {
    const module = MODULES[name];
    if (new RegExp(`^${module} `, 'm').test(loaded ?? '')) return [{ name, available: 'loaded' }];
    if (listed(builtIn, module)) return [{ name, available: 'loaded' }];
    if (listed(onDisk, module)) return [{ name, available: loaded === undefined ? 'no' : 'module' }];
    return loaded === undefined || onDisk !== undefined ? [{ name, available: 'no' }] : [];
  });
  if (providers.length === 2) return { providers, gaps: [] };
  const what = `/lib/modules/${release}/modules.dep`;
  return {
    providers,
    gaps: [{ probe: 'rdma', what, reason: 'not there: whether rxe and siw could be loaded is unknown' }],
  };
}

/** In modules.dep, "kernel/…/siw.ko.xz: …", and in modules.builtin, "kernel/…/siw.ko". */
function listed(text: string | undefined, module: string): boolean {
  return text !== undefined && new RegExp(`(^|/)${module}\\.ko(\\.\\w+)?(:|$)`, 'm').test(text);
}
