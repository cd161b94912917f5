import type { Evidence } from '../../model/results.js';
import type { HostFacts, SysctlAssignment, SysctlFiles } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { assignmentsOf, winner } from '../sysctl-winner.js';
import { isDistribution, isOfInterface, liveReader, sameSetting, setLine } from './sysctl-lines.js';

export const sysctlConflict = defineCheck({
  id: 'sysctl-conflict',
  title: 'Settings in several files, or not in force',
  category: 'configuration',
  scope: 'host',
  priority: 35,
  page: {
    mechanism:
      'At boot systemd-sysctl (or `sysctl --system` of procps) applies all files of /etc/sysctl.d, /run/sysctl.d, /usr/local/lib/sysctl.d and /usr/lib/sysctl.d in the order of their names, whatever their folder; a file in /etc hides one of the same name below /usr. The last line wins. procps also applies /etc/sysctl.conf at the very end, systemd only where a link in sysctl.d points to it. Other programs (tuned, kubelet, a CNI plug-in, Docker) write keys later, and what somebody wrote by hand is gone with the next boot.',
    reads:
      'All sysctl.d files and /etc/sysctl.conf; the live value below /proc/sys, in the initial network namespace only. Keys below net., and those of fs., vm. and kernel. that checks use.',
    threshold:
      "warn: two files of the host's owner, or the distribution's file over the owner's, give one key different values; systemd and procps would end with different values; or the live value is not that of the winning line. info: the owner overrides a file of the distribution, as meant; a key of a single interface differs, which may have appeared after boot. Equal values, white space, masked files and globs are no conflict.",
    why: 'What is in force now is not what the files say, or not what the next boot will set.',
    remedy: 'Decide which value is meant, keep one line with it, and apply it.',
    risk: 'None from the files; applying the value has the effect of that key.',
    undo: 'Put the former line back and write the former value with sysctl -w.',
    needs: 'nothing',
    sources: ['sysctl.d(5)', 'systemd-sysctl.service(8)', 'sysctl(8) (--system)'],
  },
  judge(context: HostContext): Finding[] {
    const { host, snapshot } = context;
    const files = host.facts.sysctlFiles;
    if (!files) return [unknown('the sysctl.d files could not be read')];
    const live = liveReader(snapshot);
    const keys = [...new Set(files.assignments.filter((line) => !line.glob).map((line) => line.key))].filter(
      (key) => key.startsWith('net.') || host.facts.sysctls[key] !== undefined,
    );
    const findings = keys.flatMap((key) => judgeKey(host.facts, files, key, live(key)));
    if (findings.length > 0) return findings;
    return [
      pass(
        `${keys.length} keys are set in files, without contradiction${live.compared ? '' : ' (not compared with live values: another network namespace)'}`,
        [
          {
            source: 'sysctl.d',
            key: 'files',
            value: new Set(files.assignments.map((a) => a.file)).size,
            unit: '1',
            scope: 'now',
          },
          { source: 'sysctl.d', key: 'keys', value: keys.length, unit: '1', scope: 'now' },
        ],
      ),
    ];
  },
});

function judgeKey(facts: HostFacts, files: SysctlFiles, key: string, live: string | undefined): Finding[] {
  const systemd = winner(files, 'systemd', key);
  const procps = winner(files, 'procps', key);
  const wins = systemd ?? procps;
  if (wins?.value === undefined) return [];
  const say = (verdict: typeof warn, text: string, extra: Partial<Finding> = {}): Finding[] => [
    verdict(`${key}: ${text}${others(facts)}`, evidenceOf(files, key, live), {
      subject: { key, file: wins.file },
      ...extra,
    }),
  ];
  if (systemd && procps && !sameSetting(key, systemd.value, procps.value))
    return say(
      warn,
      `systemd-sysctl ends with ${systemd.value} (${place(systemd)}), sysctl --system with ${procps.value} (${place(procps)})`,
      {
        remedy: {
          summary: `Keep one of the two lines`,
          commands: [setLine(systemd, procps.value)],
          undo: setLine(systemd, systemd.value),
        },
      },
    );
  if (live !== undefined && !sameSetting(key, live, wins.value))
    return say(
      isOfInterface(key) ? info : warn,
      `${wins.value} in ${place(wins)}${systemd ? '' : ' (which systemd-sysctl does not read)'}, but ${live} is in force`,
      {
        remedy: agree(wins, live),
        weight: 1,
      },
    );
  const losers = contradicting(files, wins, key);
  if (losers.length === 0) return [];
  const lines = losers.map((line) => `${line.value} in ${place(line)}`).join(', ');
  if (!isDistribution(wins) && losers.every(isDistribution))
    return say(info, `${wins.value} in ${place(wins)} overrides ${lines} of the distribution`, {
      why: 'This is how sysctl.d is meant to be used; it is listed so that nobody has to search.',
    });
  const surprise = isDistribution(wins) ? ": the distribution's file wins, because its name sorts later" : '';
  return say(warn, `${wins.value} in ${place(wins)} wins over ${lines}${surprise}`, {
    remedy: {
      summary: 'Keep one line: comment the others out',
      commands: losers
        .filter((l) => !isDistribution(l))
        .map((l) => `sed -i --follow-symlinks '${l.line}s|^|# |' ${l.file}`),
      undo: losers
        .filter((l) => !isDistribution(l))
        .map((l) => `sed -i --follow-symlinks '${l.line}s|^# ||' ${l.file}`)
        .join('; '),
    },
  });
}

const place = (line: SysctlAssignment): string => `${line.file}:${line.line}`;

/** The last line of each other file that says something else. */
function contradicting(files: SysctlFiles, wins: SysctlAssignment, key: string): SysctlAssignment[] {
  const perFile = new Map<string, SysctlAssignment>();
  for (const tool of ['procps', 'systemd'] as const)
    for (const line of assignmentsOf(files, tool, key))
      if (!line.glob && line.value !== undefined && line.file !== wins.file) perFile.set(line.file, line);
  return [...perFile.values()].filter((line) => !sameSetting(key, line.value, wins.value));
}

/** Never a command that lowers a limit: the higher of two numbers is what goes where the lower is. */
function agree(line: SysctlAssignment, live: string): NonNullable<Finding['remedy']> {
  const wanted = line.value ?? '';
  const fileIsLower = /^\d+$/.test(wanted) && /^\d+$/.test(live) && Number(wanted) < Number(live);
  if (fileIsLower)
    return {
      summary: `If ${live} is meant, write it into the file: the next boot sets ${wanted}`,
      commands: [setLine(line, live)],
      undo: setLine(line, wanted),
    };
  return {
    summary: `If the file is right, apply it; else correct the line`,
    commands: [`sysctl -w '${line.key}=${wanted}'`],
    tunes: [{ key: line.key, from: live, to: wanted }],
    undo: `sysctl -w '${line.key}=${live}'`,
  };
}

function others({ settingOwners }: HostFacts): string {
  if (settingOwners.length === 0) return '';
  const names = settingOwners.map((o) => (o.detail ? `${o.name} (${o.detail})` : o.name));
  return `; ${names.join(', ')} may write settings here too`;
}

function evidenceOf(files: SysctlFiles, key: string, live: string | undefined): Evidence[] {
  const lines = new Set([...assignmentsOf(files, 'systemd', key), ...assignmentsOf(files, 'procps', key)]);
  return [
    ...(live === undefined
      ? []
      : [{ source: `/proc/sys/${key.replaceAll('.', '/')}`, key, value: live, unit: '', scope: 'now' as const }]),
    ...[...lines].map((line) => ({
      source: place(line),
      key: line.key,
      value: line.value ?? '(kept from globs)',
      unit: '',
    })),
  ];
}
