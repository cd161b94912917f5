/** One line of `ss -H -e` with the detail lines that belong to it. */
export interface SsRow {
  state: string;
  recvQueue: number;
  sendQueue: number;
  local: string;
  remote: string;
  /** "sk:" without its prefix: the cookie. */
  cookie: string;
  inode: number;
  owners: { comm: string; pid: number; fd: number }[];
  /** "rtt:0.019/0.009" → rtt: "0.019/0.009"; "rcv_space:65483" likewise. */
  info: Record<string, string>;
  /** skmem:(r0,rb131072,…) in its own order. */
  skmem: number[];
}

const STATES: Record<string, string> = {
  ESTAB: 'established',
  UNCONN: 'close',
  LISTEN: 'listen',
};

/** Takes the output of ss apart: an independent reading to compare ours with. */
export function parseSs(text: string): SsRow[] {
  const rows: SsRow[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const last = rows.at(-1);
    if (/^\s/.test(line) && last) takeDetails(line, last);
    else rows.push(firstLine(line));
  }
  return rows;
}

function firstLine(line: string): SsRow {
  const [state = '', recvQueue, sendQueue, local = '', remote = ''] = line.split(/\s+/);
  const row: SsRow = {
    state: STATES[state] ?? state.toLowerCase(),
    recvQueue: Number(recvQueue),
    sendQueue: Number(sendQueue),
    local: local.replace('*:', '[::]:'),
    remote: remote.replace('*:', '[::]:'),
    cookie: /\bsk:([0-9a-f]+)/.exec(line)?.[1] ?? '',
    inode: Number(/\bino:(\d+)/.exec(line)?.[1] ?? 0),
    owners: [...line.matchAll(/\("([^"]*)",pid=(\d+),fd=(\d+)\)/g)].map((m) => ({
      comm: m[1] as string,
      pid: Number(m[2]),
      fd: Number(m[3]),
    })),
    info: {},
    skmem: [],
  };
  takeDetails(line, row);
  return row;
}

function takeDetails(line: string, row: SsRow): void {
  const skmem = /skmem:\(([^)]*)\)/.exec(line)?.[1];
  if (skmem) row.skmem = skmem.split(',').map((part) => Number(part.replace(/\D/g, '')));
  for (const [, key, value] of line.matchAll(/\b([a-z_]+):([^\s(]+)/g)) row.info[key as string] = value as string;
}
