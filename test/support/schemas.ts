import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import { sockdoc } from './cli.js';

const compiled = new Map<string, ValidateFunction>();

/** Asserts that a document is what `sockdoc schema NAME` publishes. */
export async function expectValid(name: string, document: unknown): Promise<void> {
  let validate = compiled.get(name);
  if (!validate) {
    const { stdout } = await sockdoc(['schema', name]);
    const ajv = new Ajv({ strict: true, allowUnionTypes: true });
    formats.default(ajv);
    validate = ajv.compile(JSON.parse(stdout));
    compiled.set(name, validate);
  }
  validate(document);
  expect(validate.errors ?? []).toEqual([]);
}
