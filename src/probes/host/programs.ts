import type { FileProbe } from '../files.js';

const LIBRARIES = ['/usr/lib', '/usr/lib64', '/usr/lib/*', '/usr/local/lib', '/usr/local/lib64'];
const BINARIES = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'];
const library = (file: string) => LIBRARIES.map((folder) => `${folder}/${file}`);
const binary = (file: string) => BINARIES.map((folder) => `${folder}/${file}`);

/** Rivals that carry sockets past the kernel, and helpers that set up what they need. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  rsocket: library('rsocket/librspreload.so'),
  libvma: library('libvma.so*'),
  libxlio: library('libxlio.so*'),
  onload: binary('onload'),
  'vpp-vcl': library('libvcl_ldpreload.so*'),
  'smc-tools': binary('smc_run'),
  tuned: binary('tuned'),
  irqbalance: binary('irqbalance'),
  bpftune: binary('bpftune'),
  saptune: binary('saptune'),
};

/** Those that are installed, by the first path found. */
export const programs: FileProbe<Record<string, string>> = {
  name: 'programs',
  wants: { pathGlobs: Object.values(PROGRAMS).flat() },
  parse(found) {
    const paths = found.paths(/.*/).map((match) => match[0]);
    const installed: Record<string, string> = {};
    for (const [name, patterns] of Object.entries(PROGRAMS)) {
      const expressions = patterns.map(expression);
      const path = paths.find((candidate) => expressions.some((pattern) => pattern.test(candidate)));
      if (path !== undefined) installed[name] = path;
    }
    return installed;
  },
};

const expression = (glob: string) => new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
