import type { BenchDocument } from '../../model/bench.js';
import { type Chart, chartsOf } from './charts.js';
import { escapeXml } from './xml.js';

const WIDTH = 720;
const HEIGHT = 360;
const LEFT = 70;
const RIGHT = 20;
const TOP = 50;
const BOTTOM = 50;

/** Told apart by colour blind readers too (Okabe and Ito), and by dashes in print. */
const STYLES: Readonly<Record<string, { colour: string; dash: string }>> = {
  kernel: { colour: '#d55e00', dash: '' },
  unix: { colour: '#0072b2', dash: '6 3' },
  shm: { colour: '#009e73', dash: '' },
  libsd: { colour: '#999999', dash: '2 3' },
};
const OTHER = { colour: '#555555', dash: '' };

/** All charts below each other. */
export function benchSvg(document: BenchDocument): string {
  const charts = chartsOf(document);
  const height = Math.max(1, charts.length) * HEIGHT;
  const drawn = charts.map((chart, i) => `<g transform="translate(0 ${i * HEIGHT})">${drawChart(chart)}</g>`);
  const text = charts.length > 0 ? drawn.join('\n') : `<text x="${LEFT}" y="${TOP}">Nothing was measured.</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
${text}
</svg>
`;
}

/** Both axes are logarithmic, or one has names. */
export function drawChart(chart: Chart): string {
  const { title, axis, ticks, values, series, positions } = chart;
  const [low = 1, high = 1] = [values[0], values.at(-1)];
  const y = (value: number) =>
    HEIGHT - BOTTOM - (Math.log(value / low) / Math.log(high / low || Math.E)) * (HEIGHT - TOP - BOTTOM);
  const x = (position: number) => LEFT + position * (WIDTH - LEFT - RIGHT);
  return [
    `<text x="${LEFT}" y="20" font-size="15" font-weight="bold">${escapeXml(title)}</text>`,
    ...values.map(
      (value) =>
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#dddddd"/><text x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${escapeXml(axis(value))}</text>`,
    ),
    ...ticks.map(
      (tick, i) =>
        `<text x="${x(positions[i] ?? 0).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escapeXml(tick)}</text>`,
    ),
    ...series.map(({ name, points }, i) => {
      const { colour, dash } = STYLES[name] ?? OTHER;
      const at = points.map((point) => `${x(point.at).toFixed(1)},${y(point.value).toFixed(1)}`);
      const bars = points.map(
        (point) =>
          `<line x1="${x(point.at).toFixed(1)}" x2="${x(point.at).toFixed(1)}" y1="${y(point.least).toFixed(1)}" y2="${y(point.most).toFixed(1)}" stroke="${colour}" stroke-width="3" opacity="0.35"/>`,
      );
      const dots = at.map((place) => {
        const [cx, cy] = place.split(',');
        return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
      });
      const legend = `<rect x="${LEFT + i * 90}" y="30" width="12" height="3" fill="${colour}"/><text x="${LEFT + i * 90 + 16}" y="36">${escapeXml(name)}</text>`;
      return `<polyline points="${at.join(' ')}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>${bars.join('')}${dots.join('')}${legend}`;
    }),
  ].join('\n');
}

/** A single chart as a picture within a page. */
export const chartSvg = (chart: Chart): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="sans-serif" font-size="12">\n<title>${escapeXml(chart.title)}</title>\n${drawChart(chart)}\n</svg>`;
