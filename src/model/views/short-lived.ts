import { type Static, Type } from '@sinclair/typebox';

/** Connections that ended within the window, by who held them. */
export const EndedConnections = Type.Object({
  side: Type.Union([Type.Literal('connecting'), Type.Literal('accepting')]),
  pid: Type.Optional(
    Type.Integer({ description: 'Accepting: of the process that listens on the port, the first of several.' }),
  ),
  comm: Type.Optional(Type.String()),
  processes: Type.Optional(
    Type.Integer({ description: 'How many of this name are in one row, where there were too many for a row each.' }),
  ),
  port: Type.Integer({ description: "The listener's port, on either side." }),
  count: Type.Integer(),
  bytesSent: Type.Optional(Type.Integer({ description: 'Payload, over their whole lives.' })),
  bytesReceived: Type.Optional(Type.Integer()),
});
export type EndedConnections = Static<typeof EndedConnections>;

/**
 * TCP sockets that ended within the window, counted from the kernel's own events, so that none is lost between two
 * readings. A connection whose both ends are on this host has two sockets. Listeners, attempts to connect that failed and
 * sockets that were never connected are not among them.
 */
export const ShortLived = Type.Object({
  source: Type.Union([Type.Literal('tracepoint'), Type.Literal('destroy-events')], {
    description:
      'tracepoint: sock:inet_sock_set_state by BPF, which knows who connected. destroy-events: of sock_diag, which do not.',
  }),
  windowMs: Type.Number(),
  ended: Type.Integer({ description: 'Sockets of connections that ended.' }),
  endedPerS: Type.Number(),
  unseen: Type.Optional(
    Type.Integer({
      description: 'Of these: no reading ever showed them. Absent where there is no reading to compare with.',
    }),
  ),
  failed: Type.Optional(
    Type.Integer({ description: 'Attempts to connect that came to nothing; only from the tracepoint.' }),
  ),
  by: Type.Array(EndedConnections, { description: 'Most first, at most 100.' }),
  unattributed: Type.Integer({ description: 'Of `ended`: whose process could not be told.' }),
  lost: Type.Boolean({ description: 'The kernel dropped events: `ended` is a lower bound.' }),
});
export type ShortLived = Static<typeof ShortLived>;
