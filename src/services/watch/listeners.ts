import type { ConnectionRow } from '../../model/views/connections.js';
import type { Filter } from '../../model/views/filter.js';
import type { PortOwners } from '../../probes/connection-events.js';
import type { ConnectionTable } from '../../probes/connections.js';
import type { Namespace } from '../../probes/namespaces.js';
import { placeOf } from './places.js';

/** More ports than that are nobody's. */
const MOST_LISTENERS = 5000;

/** Who listens on which port, of the table's last reading: connections that were accepted end as theirs. */
export async function listenersOf(table: ConnectionTable, namespaces: readonly Namespace[]): Promise<PortOwners[]> {
  const filter: Filter = [{ field: 'state', operator: '=', values: ['listen'] }];
  const { connections } = await table.select({ filter, limit: MOST_LISTENERS });
  return namespaces.map((namespace) => {
    const place = placeOf(namespace);
    return { id: namespace.id, listeners: connections.filter(({ netns }) => netns === place).map(listenerOf) };
  });
}

function listenerOf({ local, pid, comm, fd }: ConnectionRow): PortOwners['listeners'][number] {
  const owner = pid === undefined || comm === undefined || fd === undefined ? [] : [{ pid, comm, fd }];
  return { port: Number(local.slice(local.lastIndexOf(':') + 1)), owners: owner };
}
