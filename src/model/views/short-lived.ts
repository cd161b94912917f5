import { type Static, Type } from '@sinclair/typebox';

/** Connections that ended within the window, by who held them. */
export const EndedConnections = Type.Object({
  side: Type.Union([Type.Literal('connecting'), Type.Literal('accepting')]),
  pid: Type.Optional(Type.Integer()),
  comm: Type.Optional(Type.String()),
  port: Type.Integer({ description: "The listener's port, on either side." }),
  count: Type.Integer(),
  bytesSent: Type.Optional(Type.Integer()),
  bytesReceived: Type.Optional(Type.Integer()),
});

/**
 * TCP sockets that ended within the window, counted from the kernel's own events, so that none is lost between two
 * readings. A connection whose both ends are on this host has two sockets.
 */
export const ShortLived = Type.Object({
  windowMs: Type.Number(),
  ended: Type.Integer({ description: 'Sockets of connections that ended.' }),
  endedPerS: Type.Number(),
  unseen: Type.Integer({
    description: 'Of these: began after the reading before, so that no reading ever showed them.',
  }),
  by: Type.Array(EndedConnections, { description: 'Most first, at most 100.' }),
  unattributed: Type.Integer({ description: 'Of `ended`: whose process could not be told.' }),
  lost: Type.Boolean({ description: 'The kernel dropped events: `ended` is a lower bound.' }),
});
export type ShortLived = Static<typeof ShortLived>;
