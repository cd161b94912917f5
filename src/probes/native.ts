/** What the native addon reads and does, one file for each part. */
export { requireNative } from './native/addon.js';
export * from './native/connections.js';
export * from './native/descriptors.js';
export * from './native/drops.js';
export * from './native/events.js';
export * from './native/files.js';
export * from './native/host.js';
export * from './native/launch.js';
export * from './native/links.js';
export * from './native/rdma.js';
export * from './native/scheduler.js';
export * from './native/settings.js';
export * from './native/socket-share.js';
export * from './native/sockets.js';
