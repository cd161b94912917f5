// Applies a plan with the built engine, in a process of its own that a test may kill: apply-plan.mjs PLAN.json OPTIONS.json
import { readFileSync } from 'node:fs';
import { applyPlan } from '../../dist/services/tune/apply.js';

const [plan, options] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => controller.abort(new Error(`stopped by ${signal}`)));
try {
  process.stdout.write(JSON.stringify(await applyPlan(plan, { ...options, signal: controller.signal })));
} catch (error) {
  process.stdout.write(JSON.stringify({ thrown: { kind: error.kind, code: error.code, message: error.message } }));
  process.exitCode = error.code ?? 70;
}
