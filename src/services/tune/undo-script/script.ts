import { type Setting, settingOf } from '../../../model/tune/keys.js';
import { sysctlPath } from '../../../probes/sysctl-names.js';
import type { Entry, Step } from '../journal/entry.js';
import type { FileChange } from '../journal/records.js';
import { quoted, shellCommand } from '../shell.js';
import { readCommand } from './ethtool.js';

/** Functions of every script. Words are not expanded to file names (-f): values may hold stars. */
const HEAD = `set -uf
status=0
kept() { echo "kept $1: $2"; status=1; }
# A file as one line; of a choice ("always [madvise] never") the chosen word.
value_of() {
  now=$(echo $(cat "$1" 2>/dev/null))
  case " $now " in *" ["*"] "*) now=\${now#*[}; now=\${now%%]*} ;; esac
  echo "$now"
}
# NAME NOW WRITTEN FORMER: whether it is ours to give back. WRITTEN "?": nobody knows what the kernel made of it.
ours() {
  if [ "$2" = "$4" ]; then return 1; fi
  if [ "$3" = "?" ] || [ "$2" = "$3" ]; then return 0; fi
  kept "$1" "it is \\"$2\\" now, not the \\"$3\\" that was written"
  return 1
}
# NAME FILE WRITTEN FORMER
file_back() {
  if [ ! -e "$2" ]; then kept "$1" "it is gone"; return; fi
  ours "$1" "$(value_of "$2")" "$3" "$4" || return 0
  { echo "$4" > "$2"; } 2>/dev/null
  if [ "$(value_of "$2")" = "$4" ]; then echo "$1 = $4"; else kept "$1" "it could not be written"; fi
}
`;

/** Plain shell that does what \`tune revert\` does with this change, with the same guard, for a host without sockdoc. */
export function undoScript(entry: Entry): string {
  const { header } = entry;
  const parts = [
    `#!/bin/sh\n# Takes back what sockdoc tune changed on ${header.at} (${header.id}), where it is still as it was written.`,
    '# Needs nothing of sockdoc; exit code 1 when something was kept.',
    HEAD,
    namespaceGuard(entry),
    ...entry.steps.toReversed().flatMap(stepLines),
    ...entry.files.flatMap(fileLines),
    'exit $status\n',
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function namespaceGuard({ header: { netns, bootId } }: Entry): string {
  const place = netns.name === undefined ? '' : `; try: ip netns exec ${quoted(netns.name)} sh SCRIPT`;
  return `if [ "$(readlink /proc/self/ns/net)" != "net:[${netns.id}]" ]; then
  echo ${quoted(`this is not the network namespace net:[${netns.id}] in which it was changed${place}`)} >&2
  exit 4
fi
if [ "$(cat /proc/sys/kernel/random/boot_id)" != ${quoted(bootId)} ]; then
  echo "the host was restarted since: what was set while it ran is gone" >&2
  exit 4
fi
`;
}

function stepLines({ row, before, after }: Step): string[] {
  const coupled = Object.keys(before).filter(
    (key) => key !== row.key && (after === undefined || (after[key] !== undefined && after[key] !== before[key])),
  );
  return [row.key, ...coupled].flatMap((key) => {
    const setting = settingOf(key);
    return setting
      ? [lineFor(key, setting, { former: before[key] ?? '', written: after?.[key] ?? '?', startTicks: row.startTicks })]
      : [];
  });
}

interface Values {
  former: string;
  written: string;
  startTicks: number | undefined;
}

function lineFor(key: string, setting: Setting, { former, written, startTicks }: Values): string {
  const words = (value: string) => `'${value.replaceAll("'", "'\\''")}'`;
  const [name, from, to] = [words(key), words(written), words(former)];
  switch (setting.kind) {
    case 'sysctl':
      return `file_back ${name} ${words(sysctlPath(setting.name))} ${from} ${to}`;
    case 'sysfs':
      return `file_back ${name} ${words(setting.path)} ${from} ${to}`;
    case 'ethtool':
      return `if ours ${name} "$(${readCommand(setting)})" ${from} ${to}; then
  if ${shellCommand(key, former)}; then echo ${words(`${key} = ${former}`)}; else kept ${name} "it could not be written"; fi
fi`;
    case 'limit':
      return limitLines(setting, name, { from, to, former, startTicks });
  }
}

function limitLines(
  { pid, resource }: Extract<Setting, { kind: 'limit' }>,
  name: string,
  { from, to, former, startTicks }: { from: string; to: string; former: string; startTicks: number | undefined },
): string {
  const title = resource === 'nofile' ? 'Max open files' : 'Max locked memory';
  const now = `sed -n 's/^${title} *\\([^ ]*\\) *\\([^ ]*\\).*/\\1:\\2/p' /proc/${pid}/limits`;
  return `if [ "$(sed 's/.*) //' /proc/${pid}/stat 2>/dev/null | cut -d' ' -f20)" != ${startTicks ?? ''} ]; then
  kept ${name} "the process has ended"
elif ours ${name} "$(${now})" ${from} ${to}; then
  if prlimit --pid ${pid} --${resource}=${former}; then echo ${name} = ${to}; else kept ${name} "it could not be written"; fi
fi`;
}

/** Files of --persist that are as they were written. */
function fileLines({ file, before, after, link }: FileChange): string[] {
  if (link) return [`rm -f ${quoted(file)}`];
  const here = (text: string) => `<<'SOCKDOC_END'\n${text.endsWith('\n') ? text : `${text}\n`}SOCKDOC_END`;
  const restore = before === null ? `rm ${quoted(file)}` : `cat > ${quoted(file)} ${here(before)}`;
  return [
    `if cmp -s ${quoted(file)} - ${here(after)}
then
${restore}
elif [ -e ${quoted(file)} ]; then kept ${quoted(file)} "somebody changed it since"
fi`,
  ];
}
