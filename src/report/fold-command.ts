import { width, wrap } from './layout.js';

/**
 * A shell command folded to `columns` so that it can still be copied: lines end in a backslash, at a space outside
 * quotes where there is one. Inside a word the next line begins at the left edge, since a space would split the word.
 * What cannot be folded safely (substitutions inside double quotes, here-documents) stays one line.
 */
export function foldCommand(command: string, columns: number | undefined, indent: string): string[] {
  if (columns === undefined || width(indent + command) <= columns) return [indent + command];
  if (command.startsWith('#')) return wrap(command.replace(/^#\s*/, ''), columns, `${indent}# `, `${indent}# `);
  const atoms = atomsOf(command);
  if (!atoms) return [indent + command];
  const lines: string[] = [];
  let line: Atom[] = [];
  let edge = indent;
  for (const atom of atoms) {
    while (width(edge) + length(line) + width(atom.text) + RESERVED > columns && line.length > 0) {
      const space = line.findLastIndex(({ text, quote }) => text === ' ' && quote === '');
      const soft = space > 0 && width(edge) + length(line.slice(0, space + 1)) < columns;
      const cut = soft ? space + 1 : fitting(line, columns - width(edge) - RESERVED);
      // Single quotes keep a backslash as it is: they are closed before it and opened again after it.
      const reopen = !soft && (line[cut] ?? atom).quote === "'" ? "'" : '';
      lines.push(`${edge}${textOf(line.slice(0, cut))}${reopen}\\`);
      edge = soft ? `${indent}  ` : reopen;
      line = line.slice(cut);
    }
    line.push(atom);
  }
  return [...lines, edge + textOf(line)];
}

/** For a closing quote and the backslash. */
const RESERVED = 2;

/** What must not be torn apart: a character, or a backslash with what it escapes. */
interface Atom {
  text: string;
  /** The quotes that it stands in, so that a break before it knows how to behave: "", ' or ". */
  quote: string;
}

const length = (line: readonly Atom[]) => line.reduce((sum, { text }) => sum + width(text), 0);
/** How many atoms have room, one at least. */
function fitting(line: readonly Atom[], room: number): number {
  let count = 1;
  while (count < line.length && length(line.slice(0, count + 1)) <= room) count++;
  return count;
}

const textOf = (line: readonly Atom[]) => line.map(({ text }) => text).join('');

/** undefined where a break could change the meaning. */
function atomsOf(command: string): Atom[] | undefined {
  const atoms: Atom[] = [];
  let quote = '';
  const chars = [...command];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] as string;
    const opens = quote === '' && (char === "'" || char === '"');
    const closes = char === quote;
    if (quote !== "'" && (char === '`' || (char === '$' && chars[i + 1] === '(' && quote === '"'))) return undefined;
    if (quote === '' && char === '<' && chars[i + 1] === '<') return undefined;
    if (quote === '' && char === '#' && (i === 0 || chars[i - 1] === ' ')) return undefined;
    if (char === '\\' && quote !== "'") {
      atoms.push({ text: char + (chars[++i] ?? ''), quote });
      continue;
    }
    atoms.push({ text: char, quote });
    if (opens) quote = char;
    else if (closes) quote = '';
  }
  return quote === '' ? atoms : undefined;
}
