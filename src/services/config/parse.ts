import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { usageError } from '../../support/errors.js';
import type { ConfigFile } from './find.js';

/** A value of a YAML file that knows where it stands, so that every complaint names line and column. */
export class YamlValue {
  constructor(
    private readonly node: unknown,
    private readonly place: { file: string; lines: LineCounter; path: string; offset: number; key?: number },
  ) {}

  get file(): string {
    return this.place.file;
  }

  get line(): number {
    return this.position().line;
  }

  /** Ends with exit code 2: what was wrong here and what was expected. */
  complain(problem: string, expected: string, at: 'value' | 'key' = 'value'): never {
    const { line, col } = this.position(at);
    const where = this.place.path === '' ? '' : ` (${this.place.path})`;
    throw usageError(`${this.place.file}:${line}:${col}${where}: ${problem}`, { next: `Expected: ${expected}` });
  }

  /** The fields of a mapping; complains about keys that are no plain text and about all that are not in `known`. */
  fields(expected: string, known?: readonly string[]): Map<string, YamlValue> {
    if (!isMap(this.node)) this.complain(`${this.kind()} where a mapping belongs`, expected);
    const fields = new Map<string, YamlValue>();
    for (const { key, value } of this.node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const field = this.child(value ?? key, name, key);
      if (known && !known.includes(name))
        field.complain(`unknown field "${name}"`, `one of ${known.join(', ')}`, 'key');
      fields.set(name, field);
    }
    return fields;
  }

  items(expected: string): YamlValue[] {
    if (!isSeq(this.node)) this.complain(`${this.kind()} where a list belongs`, expected);
    return this.node.items.map((item, i) => this.child(item, String(i)));
  }

  text(expected: string): string {
    const value = this.scalar();
    if (typeof value !== 'string' || value.trim() === '') this.complain(`${this.kind()} where text belongs`, expected);
    return value;
  }

  number(expected: string): number {
    const value = this.scalar();
    if (typeof value !== 'number' || !Number.isFinite(value))
      this.complain(`${this.kind()} where a number belongs`, expected);
    return value;
  }

  isMap(): boolean {
    return isMap(this.node);
  }

  isEmpty(): boolean {
    return this.node === null || this.node === undefined || (isScalar(this.node) && this.node.value === null);
  }

  /** The value when it is one text or number. */
  scalar(): unknown {
    return isScalar(this.node) ? this.node.value : undefined;
  }

  private child(node: unknown, name: string, key: unknown = node): YamlValue {
    const path = this.place.path === '' ? name : `${this.place.path}.${name}`;
    const offset = (node as Node | null)?.range?.[0] ?? this.place.offset;
    return new YamlValue(node, { ...this.place, path, offset, key: (key as Node | null)?.range?.[0] ?? offset });
  }

  private position(at: 'value' | 'key' = 'value'): { line: number; col: number } {
    const { line, col } = this.place.lines.linePos((at === 'key' ? this.place.key : undefined) ?? this.place.offset);
    return { line: Math.max(line, 1), col: Math.max(col, 1) };
  }

  private kind(): string {
    if (isMap(this.node)) return 'a mapping';
    if (isSeq(this.node)) return 'a list';
    const value = this.scalar();
    if (value === null || value === undefined) return 'nothing';
    return typeof value === 'string' ? `the text "${value}"` : String(value);
  }
}

/** The top of a file. Malformed YAML ends with exit code 2 and the place of the mistake. */
export function parseYaml({ path, text }: ConfigFile): YamlValue {
  const lines = new LineCounter();
  const document: Document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw usageError(`${path}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${problem.message}`, {
      next: 'Expected: YAML as in docs/configuration.md',
    });
  }
  return new YamlValue(document.contents, { file: path, lines, path: '', offset: document.contents?.range?.[0] ?? 0 });
}
