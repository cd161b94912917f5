import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cases, inject, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';

// fixtures/programs/inject/busy.c: threads that do nothing but one thing, as fast as they can.
describe.runIf(hasLibsd)('programs that never rest', () => {
  let program = '';
  let sending = '';
  let victim: Speaker | undefined;
  beforeAll(() => {
    program = compiled('inject/busy');
    sending = compiled('inject/sending');
  });
  afterEach(() => victim?.stop());

  it.each(cases(['malloc', 'fork', 'spawn', 'thread', 'signal']))('attached and detached: %s', async (mode) => {
    victim = new Speaker([program, mode, 'socket']);
    expect(await victim.line()).toBe('ready');
    for (let i = 0; i < 5; i++) {
      expect(inject('attach', victim.pid, { args: ['--timeout-ms', '30000'] })).toMatchObject({ state: 'attached' });
      expect(await victim.ask('well?')).toBe('fine');
      expect(inject('detach', victim.pid, { args: ['--timeout-ms', '30000'] })).toMatchObject({ state: 'detached' });
      expect(await victim.ask('well?')).toBe('fine');
    }
  });

  // fixtures/programs/inject/sending.c. Its input is a pipe: who waits for that cannot be stopped in place of who sends.
  it.each(cases(['sendfile', 'write', 'writev', 'sendmsg']))(
    'attached in the midst of a send of all of it: %s',
    async (way) => {
      for (let i = 0; i < 6; i++) {
        victim = new Speaker(['bash', '-c', 'exec "$@" < <(cat)', 'bash', sending, way]);
        expect(await victim.line()).toBe('ready');
        // Also one that gives up: what it has stopped until then goes on as if nothing had been.
        const limit = i < 3 ? 30000 : 15;
        const { state, code } = inject('attach', victim.pid, { args: ['--timeout-ms', String(limit)] });
        expect(i < 3 ? ['attached'] : ['attached', 'timeout']).toContain(code ?? state);
        expect(await victim.ask('well?')).toBe('fine');
        await victim.stop();
      }
    },
  );

  it.each(cases(['pipe', 'pipev']))(
    'looked for where it can be held, in the midst of a write to a pipe: %s',
    async (way) => {
      victim = new Speaker(['bash', '-c', 'exec "$@" < <(cat)', 'bash', sending, way]);
      expect(await victim.line()).toBe('ready');
      // What is no library: each time anew it is without libsd, which could finish the call.
      for (let i = 0; i < 6; i++) {
        const { code } = inject('attach', victim.pid, { args: ['--library', '/etc/passwd', '--timeout-ms', '1000'] });
        expect(await victim.ask('well?')).toBe('fine');
        expect(['loader', 'timeout']).toContain(code);
      }
    },
  );

  it('attached where it writes to its log before it sends', async () => {
    victim = new Speaker(['bash', '-c', 'exec "$0" malloc log < <(cat)', program]);
    expect(await victim.line()).toBe('ready');
    // Half a second, where nobody stays away for that; else the write that comes first is met for half a minute.
    expect(inject('attach', victim.pid, { args: ['--timeout-ms', '10000'] })).toMatchObject({ state: 'attached' });
    expect(await victim.ask('well?')).toBe('fine');
  });

  it('led to a call that begins, and let go there, it makes that as if nothing had been', async () => {
    // Nor is its output a socket: there is none.
    victim = new Speaker(['bash', '-c', 'exec "$0" turns < <(cat) > >(cat)', program]);
    expect(await victim.line()).toBe('ready');
    for (let i = 0; i < 5; i++) {
      expect(inject('attach', victim.pid, { args: ['--timeout-ms', '300'] })).toMatchObject({ code: 'timeout' });
      expect(await victim.ask('well?')).toBe('fine');
    }
  });

  it('a program without a call on a socket is left alone', async () => {
    // Its input is a pipe, not the socket that Node makes.
    victim = new Speaker(['bash', '-c', 'exec "$0" malloc < <(cat)', program]);
    expect(await victim.line()).toBe('ready');
    expect(inject('attach', victim.pid, { args: ['--timeout-ms', '500'] })).toMatchObject({
      state: 'refused',
      code: 'timeout',
      reason: expect.stringContaining('None of its threads came to a call where it can be held without harm'),
    });
    expect(await victim.ask('well?')).toBe('fine');
  });
});
