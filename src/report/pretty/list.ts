import type { ListDocument } from '../../model/list.js';
import { type Look, Paper } from './paper.js';

/** One line per check: id, category, title. */
export function prettyList({ checks }: ListDocument, look: Look): string {
  const paper = new Paper(look);
  const column = (pick: 'id' | 'category') => Math.max(0, ...checks.map((check) => check[pick].length)) + 2;
  const [ids, categories] = [column('id'), column('category')];
  for (const { id, category, title } of checks)
    paper.text(title, { first: `${id.padEnd(ids)}${category.padEnd(categories)}`, rest: ' '.repeat(4) });
  return paper.toString();
}
