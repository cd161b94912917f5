import type { ShortLived } from '../../../model/views/short-lived.js';
import { ConnectionEvents, type PortOwners, shortLivedOf } from '../../../probes/connection-events.js';
import type { Namespace } from '../../../probes/namespaces.js';
import type { GapList } from '../../diagnose/collecting/gaps.js';

/** Connections that end between two readings. What is subscribed to is ended by close(). */
export class EndedPart {
  #events: ConnectionEvents | undefined;
  #ids = '';
  #isClosed = false;

  /**
   * What ended since the call before; nothing at the first, which only begins to listen, and at the first in other
   * namespaces. `owners` are looked at when they are known: the events need not wait for the sockets.
   */
  async read(
    namespaces: readonly Namespace[],
    owners: Promise<readonly PortOwners[]>,
    gaps: GapList,
  ): Promise<ShortLived | undefined> {
    const ids = namespaces.map(({ id }) => id).join();
    if (this.#isClosed) return undefined;
    if (this.#events === undefined || ids !== this.#ids) return this.#begin(namespaces, ids, gaps);
    const events = this.#events;
    const answer = await gaps.attempt('connection events', () => events.read());
    gaps.add(...(answer?.gaps ?? []));
    return answer && shortLivedOf(answer, await owners);
  }

  close(): void {
    this.#isClosed = true;
    this.#events?.stop();
  }

  async #begin(namespaces: readonly Namespace[], ids: string, gaps: GapList): Promise<undefined> {
    this.#events?.stop();
    const events = await gaps.attempt('connection events', async () => new ConnectionEvents());
    this.#events = events;
    this.#ids = ids;
    const started = await gaps.attempt('connection events', async () =>
      events?.start(namespaces.map(({ path }) => path)),
    );
    gaps.add(...(started?.gaps ?? []));
    if (this.#isClosed) events?.stop();
  }
}
