import type { Gap } from '../../model/gap.js';
import type { ShortLived } from '../../model/views/short-lived.js';
import { addon } from './addon.js';

export interface EventsRequest {
  /** Do without BPF, as where it is not permitted; for tests of that way. */
  destroyEventsOnly?: boolean;
}

/** Sockets that ended, by end and port. `port` is the listener's, on either side. */
export interface EndedGroup {
  side: 'connecting' | 'accepting';
  /**
   * Of the process that connected, or that began to listen, where it was seen to; it may have ended. Absent, beside a
   * `comm`, where our PID namespace has other numbers.
   */
  pid?: number;
  comm?: string;
  port: number;
  count: number;
  /** Payload, over their whole lives. */
  bytesSent: number;
  bytesReceived: number;
}

/** What ended since the reading of the events before. */
export interface EventsAnswer {
  source: ShortLived['source'];
  windowMs: number;
  /** In the order of the request, those that could be subscribed to. */
  netns: {
    path: string;
    /** Inode number. */
    id: string;
    /** Sockets of connections. `groups` holds fewer where their ports are not known. */
    ended: number;
    /** Of these: no reading ever showed them. Absent where that is not known. */
    unseen?: number;
    /** Attempts to connect that came to nothing. */
    failed?: number;
    /** The kernel dropped events: all counts are lower bounds. */
    lost: boolean;
    groups: EndedGroup[];
  }[];
  /** Those of the start, which hold for every reading. */
  gaps: Gap[];
}

interface NativeConnectionEvents {
  start(request: EventsRequest & { netns: readonly string[] }): Promise<string>;
  read(): Promise<string>;
  stop(): void;
}

/** What the addon exports of it. */
interface Part {
  ConnectionEvents: new () => NativeConnectionEvents;
}

/**
 * Counts TCP sockets that end, however short they lived, from the kernel's events; idle it costs nothing. Windows go from
 * start() to read() and from read() to read(): call it after the reading of the sockets. `shortLivedOf` of
 * connection-events.ts makes the view of its answers.
 */
export class ConnectionEvents {
  readonly #native = new (addon<Part>().ConnectionEvents)();

  /** Begins, in these namespaces ("/run/netns/NAME", "/proc/PID/ns/net", or "" for our own). */
  async start(netns: readonly string[], request: EventsRequest = {}): Promise<{ gaps: Gap[] }> {
    return JSON.parse(await this.#native.start({ ...request, netns }));
  }

  async read(): Promise<EventsAnswer> {
    return JSON.parse(await this.#native.read()) as EventsAnswer;
  }

  /** Ends it. Nothing is left behind in the kernel, not even when the process dies instead. */
  stop(): void {
    this.#native.stop();
  }
}
