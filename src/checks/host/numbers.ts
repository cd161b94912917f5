export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** "31 %", "4.2 %": two significant figures are all that a sentence needs. */
export const percent = (value: number): string => `${value >= 10 ? Math.round(value) : round(value)} %`;

const STEPS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** "512 bytes", "1.5 MiB". */
export function bytes(value: number): string {
  let step = 0;
  let scaled = value;
  while (scaled >= 1024 && step < STEPS.length - 1) {
    scaled /= 1024;
    step++;
  }
  return `${step === 0 ? scaled : round(scaled)} ${STEPS[step]}`;
}

/** The next power of two at or above a number. */
export const powerOfTwo = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)));
