import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { INJECT, inject, injecting, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd, preloaded } from '../../support/libsd.js';
import { poll } from '../../support/poll.js';

describe.runIf(hasLibsd)('what ends while it is attached to', () => {
  const victims: Speaker[] = [];
  let busy = '';
  beforeAll(() => {
    busy = compiled('inject/busy');
  });
  afterEach(async () => {
    for (const victim of victims.splice(0)) await victim.stop();
  });
  const started = async (command: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const victim = new Speaker(command, env);
    victims.push(victim);
    expect(await victim.line()).toBe('ready');
    return victim;
  };

  it('the process: gone, whenever that was', async () => {
    for (let i = 0; i < 12; i++) {
      const victim = await started([busy, 'thread', 'socket']);
      const { said } = injecting(victim.pid, []);
      await sleep(i * 2);
      await victim.stop();
      const { state, code } = await said;
      // As it was when it was first looked at: a zombie until its parent knew.
      if (state === 'refused') expect(['gone', 'zombie']).toContain(code);
    }
  });

  it.each([
    ['as it is', []],
    ['blocked when it starts', ['env', '--block-signal=TERM', '--block-signal=ALRM', '--ignore-signal=CHLD']],
  ])('the injector, by SIGTERM, %s: it says so, and has changed nothing', async (_, prefix) => {
    // Without a call on a socket it waits for one as long as it may.
    const victim = await started(['bash', '-c', 'exec "$0" malloc < <(cat)', busy]);
    const { child, said } = injecting(victim.pid, ['--timeout-ms', '60000'], 'attach', prefix);
    const handlers = () => /^SigCgt:\t(\w+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? '0';
    await poll('it minds SIGTERM', () => (BigInt(`0x${handlers()}`) >> 14n) & 1n);
    child.kill('SIGTERM');
    expect(await said).toMatchObject({ state: 'refused', code: 'interrupted' });
    expect(readFileSync(`/proc/${victim.pid}/maps`, 'utf8')).not.toContain('libsd');
    expect(await victim.ask('well?')).toBe('fine');
  });

  it('the injector, without a word, where nobody waits for children: it does not say that all is well', () => {
    const full = openSync('/dev/full', 'w');
    const command = ['--ignore-signal=CHLD', INJECT, 'detach', String(process.pid)];
    expect(spawnSync('env', command, { stdio: ['ignore', full, 'ignore'] }).status).toBe(70);
    closeSync(full);
  });

  it('its way in, since another injector came first: one attaches', async () => {
    for (let i = 0; i < 10; i++) {
      const victim = await started([busy, 'thread', 'socket']);
      const both = [injecting(victim.pid, []), injecting(victim.pid, [])];
      const said = await Promise.all(both.map(({ said }) => said));
      expect(said.filter(({ state }) => state === 'attached')).toHaveLength(1);
      expect(['already', 'traced']).toContain(said.find(({ state }) => state === 'refused')?.code);
      expect(await victim.ask('well?')).toBe('fine');
      await victim.stop();
    }
  });

  it('the work of a libsd that came with the program', async () => {
    const victim = await started([busy, 'thread', 'socket'], preloaded);
    expect(inject('attach', victim.pid)).toMatchObject({ state: 'refused', code: 'already' });
    for (let i = 0; i < 3; i++) {
      expect(inject('detach', victim.pid)).toMatchObject({ state: 'detached' });
      expect(await victim.ask('well?')).toBe('fine');
      expect(inject('attach', victim.pid)).toMatchObject({ state: 'attached' });
      expect(await victim.ask('well?')).toBe('fine');
    }
  });
});
