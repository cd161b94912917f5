/** What the place that we write to can show. */
export interface Terminal {
  /** Width; undefined when nobody limits it (a pipe, a file). */
  columns: number | undefined;
  colour: boolean;
  /** Whether characters beyond ASCII arrive; decided by the locale. */
  unicode: boolean;
  /** A terminal that can redraw a line. */
  interactive: boolean;
}

interface Stream {
  isTTY?: boolean;
  columns?: number;
}

/** Honours FORCE_COLOR, NO_COLOR (no-color.org), TERM=dumb, COLUMNS and the locale's character set. */
export function terminalOf(stream: Stream, env: NodeJS.ProcessEnv = process.env): Terminal {
  const tty = stream.isTTY === true;
  const dumb = env.TERM === 'dumb';
  return {
    columns: columnsOf(stream, env),
    colour: forced(env) ?? (tty && !dumb && !env.NO_COLOR),
    unicode: /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || ''),
    interactive: tty && !dumb,
  };
}

function columnsOf(stream: Stream, env: NodeJS.ProcessEnv): number | undefined {
  if (stream.isTTY && stream.columns) return stream.columns;
  const fromEnv = Number(env.COLUMNS);
  if (Number.isInteger(fromEnv) && fromEnv > 0) return fromEnv;
  return stream.isTTY ? 80 : undefined;
}

function forced(env: NodeJS.ProcessEnv): boolean | undefined {
  const value = env.FORCE_COLOR;
  if (value === undefined) return undefined;
  return value !== '0' && value !== 'false';
}
