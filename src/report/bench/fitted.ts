import { type BenchRow, placeText } from './rows.js';

/** Suites whose cases differ in the size of the message alone; applications differ in all else. */
const BY_SIZE = ['rtt', 'throughput'];

/**
 * What a message costs and what each byte of it adds, by transport and placement: "rtt on CPU 0, 1: kernel 52 µs + 0.2 ns a
 * byte". The first number says how well small messages do, the second large ones.
 */
export function fittedLines(rows: readonly BenchRow[]): string[] {
  const places = new Map<string, BenchRow[]>();
  for (const row of rows.filter(({ suite }) => BY_SIZE.includes(suite))) {
    const place = placeText(row.cpus);
    places.set(place, [...(places.get(place) ?? []), row]);
  }
  return [...places].flatMap(([place, of]) => {
    const names = [...new Set(of.flatMap(({ results }) => results.map(({ transport }) => transport)))];
    const texts = names.flatMap((name) => {
      const results = of.flatMap(({ results }) => results.filter(({ transport }) => transport === name));
      const points = results.map(({ bytes, p50, unit }) => ({ bytes, value: unit === 'us' ? p50 : 1e6 / p50 }));
      const fitted = fitCost(points.filter(({ value }) => value > 0 && Number.isFinite(value)));
      return fitted ? [`${name} ${digits(fitted.perMessage)} µs + ${digits(fitted.perByte * 1000)} ns a byte`] : [];
    });
    return texts.length > 0 ? [`Cost of a message, fitted, ${place}: ${texts.join('; ')}`] : [];
  });
}

/** Two points are always on a line. */
const FEWEST_SIZES = 3;

const digits = (value: number) => String(Number(Math.max(0, value).toPrecision(2)));

/**
 * Cost of a message as a + b × bytes, by least squares of the relative error, so that small messages count as much as
 * large ones: `perMessage` and `perByte` in the unit of the values. undefined with too few sizes.
 */
export function fitCost(
  points: readonly { bytes: number; value: number }[],
): { perMessage: number; perByte: number } | undefined {
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0];
  for (const { bytes, value } of points) {
    const weight = 1 / (value * value);
    w += weight;
    wx += weight * bytes;
    wy += weight * value;
    wxx += weight * bytes * bytes;
    wxy += weight * bytes * value;
  }
  const determinant = w * wxx - wx * wx;
  if (new Set(points.map(({ bytes }) => bytes)).size < FEWEST_SIZES || determinant === 0) return undefined;
  const perByte = (w * wxy - wx * wy) / determinant;
  return { perMessage: (wy - perByte * wx) / w, perByte };
}
