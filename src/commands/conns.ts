import { Flags, type Interfaces } from '@oclif/core';
import type { Filter } from '../model/views/filter.js';
import { CONNECTION_SORTS } from '../model/views/request.js';
import type { ConnsOptions } from '../services/conns/run.js';
import { usageError } from '../support/errors.js';
import { untilInterrupted } from '../support/interrupt.js';
import { terminalOf } from '../support/terminal.js';
import { BaseCommand } from './base/command.js';
import { limitOf, windowOf } from './base/numbers.js';
import { withProgress } from './base/progress.js';
import { targetFlags, targetOf } from './base/target.js';
import { watchFlags, watchView } from './base/watch.js';

/** What a person is shown without --limit: more rows scroll away what matters. */
const MOST_ROWS = 40;

/** What only a window has a value for. */
const NEED_WINDOW = ['tx', 'rx', 'retransrate', 'age'];

export default class Conns extends BaseCommand {
  static override summary = 'Show TCP sockets with their process, their other end and what limits them.';

  static override description = [
    'Every TCP socket of this network namespace, or of another one or of some processes: queues, round trip time, retransmits, bytes, what keeps it from sending faster (the application, the receive window, the send buffer, congestion), and the process at the other end where that is on this host. What is in trouble comes first. Changes nothing.',
    'With --window or --watch also what moves, per second, and the connections that ended meanwhile, however short they lived, by process. --json has every socket.',
    'Exit code: 0 fine; 2 wrong use; 3 not permitted; 4 not possible; 70 a bug of sockdoc; 130 and 143 stopped by SIGINT and SIGTERM.',
  ].join('\n\n');

  static override examples = [
    { command: '<%= config.bin %> conns', description: 'What is in trouble first' },
    { command: '<%= config.bin %> conns --window 1000 --sort rate', description: 'The busiest' },
    { command: '<%= config.bin %> conns --state connected --local', description: 'Who talks to whom on this host' },
    { command: "<%= config.bin %> conns --filter 'port:6379 rtt>500us'", description: 'The slow ones of a service' },
    { command: '<%= config.bin %> conns --pid 1234 --watch', description: 'Those of a process, again and again' },
  ];

  static override flags = {
    ...targetFlags,
    ...watchFlags,
    state: Flags.string({
      description: 'Only these states, by the names of ss(8): established, listen, …, or a group such as connected.',
      helpValue: 'STATE',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    local: Flags.boolean({ description: 'Only connections whose other end is on this host too.' }),
    filter: Flags.string({
      description: 'Only what meets all of these conditions, as in top: port:80,443 rtt>500us !local nginx.',
      helpValue: 'TEXT',
    }),
    sort: Flags.option({ options: ['matters', ...CONNECTION_SORTS] as const, default: 'matters' as const })({
      description: 'By what to order, largest first.',
    }),
    reverse: Flags.boolean({ char: 'r', description: 'Smallest first.' }),
    limit: Flags.custom<number>({
      description: 'So many rows at most.',
      helpValue: 'N',
      parse: (text) => Promise.resolve(limitOf(text)),
    })(),
    all: Flags.boolean({ char: 'a', description: `Every row, also where a terminal is shown the first ${MOST_ROWS}.` }),
    window: Flags.custom<number>({
      description: 'Read twice, so many milliseconds apart, to see what moves; 0 reads once. [default: 0]',
      helpValue: 'MS',
      parse: (text) => Promise.resolve(windowOf(text)),
    })(),
    verbose: Flags.boolean({ char: 'v', description: 'Say all that could not be seen.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Conns);
    const options = await optionsOf(flags);
    const { ConnsView, parseConnections } = await import('../services/conns/run.js');
    const { connsJson } = await import('../report/conns-json.js');
    const { prettyConns, FRAME_LINES } = await import('../report/pretty/conns.js');
    const { limit, all, verbose, json = false } = flags;
    const view = new ConnsView(options);
    const shortened = limit === undefined && !all && !json && terminalOf(process.stdout).interactive;
    const atMost = (rows: number) => (shortened ? { limit: rows } : {});
    const look = { verbose, shortened };
    if (flags.watch)
      return watchView({
        intervalMs: flags.interval,
        json,
        read: (signal) => view.read(signal, atMost(Math.max(1, (process.stdout.rows ?? MOST_ROWS) - FRAME_LINES))),
        line: ({ document, rows }) => connsJson(document, rows).map(String).join('').trimEnd(),
        text: (unparsed, terminal) => prettyConns(parseConnections(unparsed), { ...terminal, ...look }),
      });
    const unparsed = await withProgress('reading', options.windowMs, () =>
      untilInterrupted((signal) => view.read(signal, { rowPerLine: true, ...atMost(MOST_ROWS) })),
    );
    view.close();
    if (json) for (const piece of connsJson(unparsed.document, unparsed.rows)) await this.print(piece);
    else await this.print(prettyConns(parseConnections(unparsed), { ...terminalOf(process.stdout), ...look }));
  }
}

type ConnsFlags = Interfaces.InferredFlags<typeof Conns.flags>;

async function optionsOf(flags: ConnsFlags): Promise<ConnsOptions> {
  const { sort, reverse, limit } = flags;
  const windowMs = flags.window ?? 0;
  const filter = await filterOf(flags);
  const needing = [sort, ...filter.map(({ field }) => field)].find((name) => NEED_WINDOW.includes(name));
  if (needing !== undefined && windowMs === 0 && !flags.watch)
    throw usageError(`${needing} is known only over a window`, {
      next: `Example: sockdoc conns --window 1000 ${sort === needing ? `--sort ${sort}` : `--filter '${flags.filter}'`}`,
    });
  const ended = windowMs > 0 || flags.watch;
  return { target: targetOf(flags), filter, sort, reverse, windowMs, ended, ...(limit === undefined ? {} : { limit }) };
}

async function filterOf({ state = [], local, filter: text }: ConnsFlags): Promise<Filter> {
  const { statesOf } = await import('../services/conns/states.js');
  const states = statesOf(state);
  const { parseFilter } = await import('../filter/parse.js');
  const filter: Filter = text === undefined ? [] : parseFilter(text);
  if (local) filter.unshift({ field: 'local', operator: '=', values: [1] });
  if (states) filter.unshift({ field: 'state', operator: '=', values: states });
  return filter;
}
