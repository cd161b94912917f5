// Writes the manual page from the command manifest: node scripts/man.mjs [FILE], else to stdout.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './tools.mjs';

const EXIT_STATUS = {
  0: 'Fine.',
  1: 'The answer is bad news: findings at or above the threshold.',
  2: 'Wrong use or bad input.',
  3: 'Not permitted: the message names what is missing.',
  4: 'Not possible on this host or for this process.',
  70: 'A bug of sockdoc.',
  '129, 130, 143': 'Stopped by SIGHUP, SIGINT or SIGTERM.',
};

const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { commands } = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'));
const page = manual();
if (process.argv[2]) writeFileSync(process.argv[2], page);
else process.stdout.write(page);

function manual() {
  const shown = Object.entries(commands)
    .filter(([, command]) => !command.hidden)
    .sort(([a], [b]) => a.localeCompare(b));
  return [
    `.TH SOCKDOC 1 "" "sockdoc ${text(version)}" "User Commands"`,
    // Ragged right: words as long as documents' field lists cannot be spread over a line.
    '.ad l',
    '.SH NAME',
    `sockdoc \\- ${text(description.charAt(0).toLowerCase() + description.slice(1))}`,
    '.SH SYNOPSIS',
    '.B sockdoc',
    '.I COMMAND',
    '[\\fIOPTION\\fR]...',
    '.SH COMMANDS',
    ...shown.flatMap(([id, command]) => section(id.replaceAll(':', ' '), command)),
    '.SH EXIT STATUS',
    ...Object.entries(EXIT_STATUS).flatMap(([code, meaning]) => ['.TP', `.B ${code}`, text(meaning)]),
    '.SH FILES',
    ...['.sockdoc.yaml', '~/.config/sockdoc/.sockdoc.yaml', '/etc/sockdoc/.sockdoc.yaml'].flatMap((file) => [
      '.TP',
      `.I ${text(file)}`,
      'Suppressions, severities and thresholds; the nearest file decides.',
    ]),
    '.SH ENVIRONMENT',
    '.TP',
    '.B NO_COLOR, FORCE_COLOR, TERM, COLUMNS, LC_ALL, LC_CTYPE, LANG',
    'Decide on colours, width and characters beyond ASCII.',
    '',
  ].join('\n');
}

function section(name, { summary, description: long, args, flags, examples }) {
  const required = Object.values(args ?? {}).map((arg) =>
    arg.required ? `\\fI${arg.name.toUpperCase()}\\fR` : `[\\fI${arg.name.toUpperCase()}\\fR]`,
  );
  return [
    `.SS sockdoc ${text(name)} ${required.join(' ')}`.trimEnd(),
    ...paragraphs([summary, long].filter(Boolean).join('\n\n')),
    ...Object.values(flags ?? {})
      .filter((flag) => !flag.hidden)
      .sort((a, b) => a.name.localeCompare(b.name))
      .flatMap(flagLines),
    ...(examples ?? []).flatMap((example) => {
      const { command, description: what } =
        typeof example === 'string' ? { command: example, description: 'Example' } : example;
      return [
        '.PP',
        `${text(what ?? 'Example')}:`,
        '.PP',
        '.nf',
        `    ${text(command.replaceAll('<%= config.bin %>', 'sockdoc'))}`,
        '.fi',
      ];
    }),
  ];
}

function flagLines({ name, char, type, options, helpValue, description: what, summary }) {
  const value =
    type === 'option' ? `=\\fI${text(options ? options.join('|') : (helpValue ?? name.toUpperCase()))}\\fR` : '';
  return [
    '.TP',
    `${char ? `\\fB\\-${char}\\fR, ` : ''}\\fB\\-\\-${text(name)}\\fR${value}`,
    ...paragraphs(what ?? summary ?? ''),
  ];
}

/** Paragraphs; examples in angle brackets of oclif are filled in. */
function paragraphs(long) {
  return long
    .replaceAll('<%= config.bin %>', 'sockdoc')
    .split(/\n\n+/)
    .flatMap((part, i) => [...(i > 0 ? ['.PP'] : []), text(part.replaceAll('\n', ' '))]);
}

/** Nothing of a text may be taken for a request or an escape. */
function text(plain) {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
