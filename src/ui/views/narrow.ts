import { matches } from '../../filter/matches.js';
import type { ConnectionRow } from '../../model/views/connections.js';
import type { Filter } from '../../model/views/filter.js';

/** What a process, a thread or its descriptors have of a connection. */
type Owner = Partial<Pick<ConnectionRow, 'pid' | 'comm' | 'uid' | 'netns' | 'container'>>;

const OWNER_FIELDS = ['pid', 'comm', 'uid', 'netns', 'container'];

const NOTHING: ConnectionRow = {
  cookie: '',
  local: '',
  remote: '',
  state: '',
  ownerCount: 0,
  uid: 0,
  inode: 0,
  sendQueueBytes: 0,
  recvQueueBytes: 0,
  isLocal: false,
  transport: 'kernel',
};

/** Rows of other tabs are chosen by those conditions of the filter that speak of processes. */
export function narrowed<Row>(rows: readonly Row[], filter: Filter, owner: (row: Row) => Owner): readonly Row[] {
  const known = (field: string, row: Owner) => OWNER_FIELDS.includes(field) && field in row;
  return rows.filter((row) => {
    const own = owner(row);
    return matches(
      filter.filter(({ field }) => known(field, own)),
      { ...NOTHING, ...own },
    );
  });
}
