import { addon } from './addon.js';

/** JSON texts: what is small, and the rows as bytes, which need not become values to be written out. */
interface NativeConnectionsAnswer {
  head: string;
  rows: Buffer;
}

interface NativeConnectionTable {
  read(request: object): Promise<NativeConnectionsAnswer>;
  select(selection: object): Promise<NativeConnectionsAnswer>;
}

/** What the addon exports of it. */
interface Part {
  ConnectionTable: new () => NativeConnectionTable;
}

/** For src/probes/connections.ts, which says what it takes and gives. */
export const nativeConnectionTable = (): NativeConnectionTable => new (addon<Part>().ConnectionTable)();
