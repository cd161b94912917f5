import { Flags } from '@oclif/core';
import type { Target } from '../../services/diagnose/options.js';
import { usageError } from '../../support/errors.js';

const HELP_GROUP = 'TARGET';

/** Flags of every command that looks at some processes or namespaces rather than at all of them. */
export const targetFlags = {
  pid: Flags.custom<number>({
    description: 'Only this process (may be repeated), in its own network namespace.',
    helpGroup: HELP_GROUP,
    helpValue: 'PID',
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
    parse: (text) => Promise.resolve(pidOf(text)),
  })(),
  unit: Flags.string({
    description: 'Only the processes of a systemd unit.',
    helpGroup: HELP_GROUP,
    helpValue: 'NAME',
  }),
  container: Flags.string({
    description: 'Only the processes of a container, by its id (or the beginning of it) or name.',
    helpGroup: HELP_GROUP,
    helpValue: 'ID',
  }),
  cgroup: Flags.string({
    description: 'Only the processes of a cgroup and of those below it.',
    helpGroup: HELP_GROUP,
    helpValue: 'PATH',
  }),
  netns: Flags.string({
    description: 'Another network namespace: by its name (ip netns), a pid in it, or all of them.',
    helpGroup: HELP_GROUP,
    helpValue: 'NAME|PID|all',
  }),
};

interface Parsed {
  pid: number[] | undefined;
  unit: string | undefined;
  container: string | undefined;
  cgroup: string | undefined;
  netns: string | undefined;
}

/** The flags as one target; more than one kind of selection would be ambiguous. */
export function targetOf(flags: Parsed): Target {
  const { pid, unit, container, cgroup, netns } = flags;
  const given = Object.entries({ pid, unit, container, cgroup, netns }).filter(([, value]) => value !== undefined);
  const [first, second] = given.map(([name]) => `--${name}`);
  if (second !== undefined)
    throw usageError(
      `${first} and ${second} cannot be used together: each selects processes or a namespace of its own`,
      {
        next: 'Example: sockdoc check --pid 1234 --pid 1235',
      },
    );
  for (const [name, value] of given)
    if (value === '')
      throw usageError(`--${name}: nothing was named`, { next: `Example: sockdoc check --${name} NAME` });
  return {
    pids: pid ?? [],
    ...(unit === undefined ? {} : { unit }),
    ...(container === undefined ? {} : { container }),
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(netns === undefined ? {} : { netns }),
  };
}

/** A process id as people give it. */
export function pidOf(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw usageError(`"${text}" is no process id: a number above 0 was expected`);
  return Number(text);
}
