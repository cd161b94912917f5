/** A counter that went back (the driver was set anew, or another interface took the name) has no rate. */
export function perSecond(
  first: number | undefined,
  last: number | undefined,
  seconds: number | undefined,
): number | undefined {
  if (first === undefined || last === undefined || !seconds || seconds <= 0 || last < first) return undefined;
  return (last - first) / seconds;
}
