import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { monitorProgram } from '../../../src/control/monitor/places.js';
import { requireRoot, requireTool } from '../../support/live.js';
import { connected, MonitorBench } from '../../support/monitor.js';

const unit = readFileSync(
  fileURLToPath(new URL('../../../native/monitor/sockdoc-monitor.service', import.meta.url)),
  'utf8',
);
const CAPABILITIES = (/^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1] ?? '').toLowerCase().split(' ');

test('systemd takes the unit as it is', async (ctx) => {
  requireTool(ctx, 'systemd-analyze');
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-unit-'));
  try {
    const path = join(folder, 'sockdoc-monitor.service');
    writeFileSync(path, unit.replace(/^ExecStart=.*$/m, `ExecStart=${monitorProgram()}`));
    const { all } = await execa('systemd-analyze', ['verify', '--man=no', path], { all: true, reject: false });
    expect(all?.split('\n').filter((line) => line.includes('sockdoc'))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A monitor that has only these capabilities pairs two processes of another user in another network namespace: its answer. */
async function pairsWith(capabilities: readonly string[]): Promise<string> {
  const bench = new MonitorBench();
  const netns = `sd-unit-${process.pid}`;
  try {
    const kept = capabilities.map((name) => `+${name.replace('cap_', '')}`);
    await bench.running([], {
      prefix: ['setpriv', '--no-new-privs', `--bounding-set=${['-all', ...kept].join()}`],
    });
    await execa('ip', ['netns', 'add', netns]);
    await execa('ip', ['-n', netns, 'link', 'set', 'lo', 'up']);
    const user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const prefix = ['ip', 'netns', 'exec', netns, ...user];
    const [from, to] = [await bench.client({ prefix, silent: true }), await bench.client({ prefix, silent: true })];
    const hellos = [await from.ask('hello'), await to.ask('hello')];
    if (hellos.some((said) => said.startsWith('refused'))) return hellos.join();
    const ends = await connected(from, to);
    const asked = await from.answer(`pair ${ends.from}`);
    if (asked.outcome === 'kernel') return asked.reason;
    return (await to.answer(`pair ${ends.to}`)).outcome;
  } finally {
    await bench.remove();
    await execa('ip', ['netns', 'delete', netns], { reject: false });
  }
}

test('the capabilities of the unit are enough, and none is too many', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  expect(CAPABILITIES.length).toBeGreaterThan(1);
  expect(await pairsWith(CAPABILITIES)).toBe('shared');
  for (const one of CAPABILITIES) {
    const others = CAPABILITIES.filter((name) => name !== one);
    expect(await pairsWith(others), `without ${one}`).not.toBe('shared');
  }
});
