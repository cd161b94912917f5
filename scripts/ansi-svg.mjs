// A picture of a terminal's screen: what `tmux capture-pane -e -p` printed, as SVG.
const CELL = { width: 8.43, height: 18 };
const PADDING = 16;
const FONT = { size: 14, ascent: 13.5 };
const FAMILY = "ui-monospace,'SFMono-Regular',Menlo,Consolas,'DejaVu Sans Mono',monospace";
const COLOURS = { foreground: '#d4d7dd', background: '#15181e', border: '#2a2f3a' };

/** The 16 colours that terminals name, dark and bright. */
const NAMED = [
  '#3b4252', '#e06c75', '#8cc265', '#d9b44a', '#61a5ee', '#c678dd', '#4cb8c4', '#d4d7dd',
  '#7f8898', '#ff7b86', '#a5e075', '#f0cd6a', '#82bbff', '#de9bf0', '#68d5e1', '#ffffff',
]; // biome-ignore format: a palette

/** A change of style, or text. */
const ESCAPE = '\u001b';
const PIECES = new RegExp(`${ESCAPE}\\[([0-9;]*)m|([^${ESCAPE}]+)`, 'g');

/** `columns` wide, as many rows as there are lines. The same text gives the same picture. */
export function svgOf(capture, { columns, title }) {
  const lines = capture.replace(/\n$/, '').split('\n');
  const width = Math.ceil(columns * CELL.width + 2 * PADDING);
  const height = lines.length * CELL.height + 2 * PADDING;
  let style = {};
  const body = lines.flatMap((line, row) => {
    const runs = runsOf(line, style);
    style = runs.style; // a line begins as the one above ended
    return runs.map((run) => drawn(run, row));
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="${COLOURS.background}" stroke="${COLOURS.border}"/>`,
    `<g font-family="${FAMILY}" font-size="${FONT.size}" fill="${COLOURS.foreground}" xml:space="preserve">`,
    ...body.filter((element) => element !== ''),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** A line as runs of one style, each with the column where it begins. */
function runsOf(line, before) {
  const runs = [];
  let style = before;
  let column = 0;
  for (const [, codes, text] of line.matchAll(PIECES)) {
    if (text === undefined) {
      style = restyled(style, codes);
    } else {
      const cells = [...text].length;
      runs.push({ text, column, cells, style });
      column += cells;
    }
  }
  return Object.assign(runs, { style });
}

function restyled(before, codes) {
  const style = { ...before };
  const list = codes === '' ? [0] : codes.split(';').map(Number);
  for (let at = 0; at < list.length; at++) {
    const code = list[at];
    if (code === 0) for (const key of Object.keys(style)) delete style[key];
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) delete style.italic;
    else if (code === 24) delete style.underline;
    else if (code === 27) delete style.inverse;
    else if (code === 39) delete style.foreground;
    else if (code === 49) delete style.background;
    else if (code === 38 || code === 48) at = takeColour(style, code === 38 ? 'foreground' : 'background', list, at);
    else if (code >= 30 && code <= 37) style.foreground = NAMED[code - 30];
    else if (code >= 40 && code <= 47) style.background = NAMED[code - 40];
    else if (code >= 90 && code <= 97) style.foreground = NAMED[code - 82];
    else if (code >= 100 && code <= 107) style.background = NAMED[code - 92];
  }
  return style;
}

/** "38;5;N" or "38;2;R;G;B" at `at`; where it ends. */
function takeColour(style, key, list, at) {
  if (list[at + 1] === 2) {
    style[key] = `#${list
      .slice(at + 2, at + 5)
      .map(hex)
      .join('')}`;
    return at + 4;
  }
  style[key] = indexed(list[at + 2]);
  return at + 2;
}

/** The palette of 256: 16 names, a cube of 6 × 6 × 6, 24 greys. */
function indexed(index) {
  if (index < 16) return NAMED[index];
  if (index >= 232) return `#${hex(8 + (index - 232) * 10).repeat(3)}`;
  const level = (step) => hex(step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return `#${level(Math.floor(cube / 36))}${level(Math.floor(cube / 6) % 6)}${level(cube % 6)}`;
}

const hex = (value) => value.toString(16).padStart(2, '0');

function drawn({ text, column, cells, style }, row) {
  const x = number(PADDING + column * CELL.width);
  const y = PADDING + row * CELL.height;
  const width = number(cells * CELL.width);
  const [ink, paper] = style.inverse
    ? [style.background ?? COLOURS.background, style.foreground ?? COLOURS.foreground]
    : [style.foreground, style.background];
  const box = paper ? `<rect x="${x}" y="${y}" width="${width}" height="${CELL.height}" fill="${paper}"/>` : '';
  if (text.trim() === '') return box;
  const look = [
    ink && `fill="${ink}"`,
    style.bold && 'font-weight="bold"',
    style.dim && 'opacity="0.6"',
    style.italic && 'font-style="italic"',
    style.underline && 'text-decoration="underline"',
  ].filter(Boolean);
  // textLength keeps the columns together in whatever font the reader has.
  const place = `x="${x}" y="${number(y + FONT.ascent)}" textLength="${width}" lengthAdjust="spacingAndGlyphs"`;
  return `${box}<text ${[place, ...look].join(' ')}>${escaped(text)}</text>`;
}

const number = (value) => String(Math.round(value * 10) / 10);

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
