import { clean } from '../clean.js';

/** Text of the host between tags and in attributes. */
export const escapeXml = (text: string): string =>
  clean(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
