import type { SchemaDocument } from '../../model/schema.js';
import { type Look, Paper } from './paper.js';

/** Which documents have a schema. */
export function prettySchemas({ schemas }: SchemaDocument, look: Look): string {
  const paper = new Paper(look);
  const column = Math.max(0, ...schemas.map(({ name }) => name.length)) + 2;
  for (const { name, title } of schemas) paper.text(title, { first: name.padEnd(column) });
  return paper.toString();
}
