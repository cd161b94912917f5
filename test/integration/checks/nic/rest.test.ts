import { readdirSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { requireTool, runCheck } from '../../../support/live.js';

/** Cards of this machine: links with a device below them that are set up. */
const cards = () =>
  readdirSync('/sys/class/net').filter((name) => {
    try {
      readdirSync(`/sys/class/net/${name}/device/`);
      return (Number(readFileSync(`/sys/class/net/${name}/flags`, 'utf8')) & 1) === 1;
    } catch {
      return false;
    }
  });

test('what is said about the cards of this machine is what ethtool says', async (ctx) => {
  requireTool(ctx, 'ethtool');
  const [card] = cards();
  if (card === undefined) return ctx.skip('no network card here');
  const { of } = await runCheck([
    '--window',
    '0',
    '--only',
    'nic-capabilities',
    '--only',
    'channels',
    '--only',
    'link',
  ]);
  const mine = of('nic-capabilities').find(({ subject }) => subject?.interface === card);
  const ethtool = async (...args: string[]) => (await execa('ethtool', [...args, card], { reject: false })).stdout;
  expect(mine?.summary).toContain(/^driver: (.*)$/m.exec(await ethtool('-i'))?.[1]);
  const stamps = mine?.evidence.find(({ key }) => key === 'hardware timestamps')?.value;
  expect(stamps).toBe(/hardware-receive/.test(await ethtool('-T')) ? 'yes' : 'no');
  const tls = mine?.evidence.find(({ key }) => key === 'kTLS transmit offload')?.value;
  const said = /^\s*tls-hw-tx-offload: (on|off)( \[fixed\])?/m.exec(await ethtool('-k'));
  expect(tls).toBe(said?.[1] === 'on' ? 'yes' : said?.[2] ? 'no' : 'off');
});

test('profile latency: busy polling where a CPU is spare; other profiles do not ask', async (ctx) => {
  if (cards().length === 0) return ctx.skip('no network card here');
  const value = readFileSync('/proc/sys/net/core/busy_poll', 'utf8').trim();
  const args = ['--window', '1000', '--only', 'busy-poll', '--only', 'coalescing'];
  const general = await runCheck(args);
  expect(general.document.results.map(({ status }) => status)).toEqual(['not-applicable', 'not-applicable']);
  const latency = await runCheck([...args, '--profile', 'latency']);
  const [busy] = latency.of('busy-poll');
  expect(busy?.status).toMatch(/^(pass|info)$/);
  expect(busy?.evidence).toContainEqual(expect.objectContaining({ key: 'net.core.busy_poll', value }));
});
