// All that a guest does with a change, in one process, because node takes seconds to start there: tune-in-guest.mjs STEPS.json
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { applyPlan } from '../../dist/services/tune/apply.js';
import { revertEntry } from '../../dist/services/tune/revert.js';
import { verifyEntry } from '../../dist/services/tune/verify.js';

const { plan, between } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const applied = plan && (await applyPlan(plan, { persist: true }));
if (between) execFileSync('sh', ['-euc', between], { stdio: 'inherit' });
const verified = await verifyEntry();
process.stdout.write(JSON.stringify({ applied, verified, reverted: await revertEntry() }));
