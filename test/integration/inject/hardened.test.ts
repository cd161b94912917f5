import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { inject, Speaker } from '../../support/inject.js';
import { compiled, hasLibsd } from '../../support/libsd.js';

const UNREAD = fileURLToPath(new URL('../../../fixtures/programs/inject/unread.py', import.meta.url));

// Services limit themselves, or systemd does it for them.
describe.runIf(hasLibsd)('hardened processes', () => {
  const victims: Speaker[] = [];
  afterEach(async () => {
    for (const victim of victims.splice(0)) await victim.stop();
  });

  it('one that may not make written memory executable: attached and detached', async ({ skip }) => {
    const victim = new Speaker([compiled('libsd/without_exec_memory'), '/usr/bin/python3', UNREAD]);
    victims.push(victim);
    // Where it cannot forbid itself that, it ends.
    if ((await victim.line().catch(() => '')) !== 'ready') skip('this kernel cannot forbid it (PR_SET_MDWE)');
    for (const turn of [1, 2]) {
      expect(inject('attach', victim.pid), `turn ${turn}`).toMatchObject({ state: 'attached' });
      expect(await victim.ask('new')).toBe('done');
      expect(await victim.ask('talk 100')).toBe('done');
      expect(inject('detach', victim.pid), `turn ${turn}`).toMatchObject({ state: 'detached' });
      expect(await victim.ask('talk 100')).toBe('done');
    }
  });
});
