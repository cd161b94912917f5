import { shellCommand } from '../shell.js';
import { type Kept, withLines } from './lines.js';

export const UNIT_FILE = '/etc/systemd/system/sockdoc-tune.service';
export const UNIT_LINK = '/etc/systemd/system/multi-user.target.wants/sockdoc-tune.service';
export const UNIT_TARGET = '../sockdoc-tune.service';

const HEAD = `# Settings of the host that \`sockdoc tune --persist\` made and that are no sysctls, for the next start.
# Take them back with \`sockdoc tune revert\`, which removes their lines here too.
[Unit]
Description=Settings of sockdoc tune
Documentation=man:sockdoc(1)
[Install]
WantedBy=multi-user.target
[Service]
Type=oneshot
RemainAfterExit=yes
`;

/** The text with these settings; null: there is no unit yet. A line that fails does not keep the others from being tried. */
export function withCommands(text: string | null, settings: readonly Kept[]): string {
  const lines = settings.flatMap(({ key, value }) => {
    const command = shellCommand(key, value);
    return command === undefined ? [] : [`ExecStart=-/bin/sh -c ${inUnit(command)}`];
  });
  return withLines(text ?? HEAD, lines, (line) => /^ExecStart=-\/bin\/sh -c .* > (.*)$/.exec(line)?.[1]);
}

export const isEmptyUnit = (text: string): boolean => !/^ExecStart=/m.test(text);

/** As one word of a unit file, in which % and $ and backslashes mean something. */
const inUnit = (command: string): string =>
  `"${command.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
