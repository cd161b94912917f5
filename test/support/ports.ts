/** A port that nobody has at the moment. */
export { freePort } from '../../src/services/bench/apps/ports.js';
