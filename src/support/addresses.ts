/** Whether an IP address lies in a prefix ("10.0.0.1/24", "2001:db8::/32"). False when either cannot be read. */
export function contains(prefix: string, address: string): boolean {
  const [base = '', length = ''] = prefix.split('/');
  const a = bits(base);
  const b = bits(address);
  if (a === undefined || b === undefined || a.width !== b.width) return false;
  const host = BigInt(a.width - Number(length));
  return a.value >> host === b.value >> host;
}

function bits(text: string): { value: bigint; width: number } | undefined {
  const address = text.split('%')[0] ?? '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return bits(mapped[1]);
  return address.includes(':') ? v6(address) : v4(address);
}

function v4(address: string): { value: bigint; width: number } | undefined {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((n) => !Number.isInteger(n) || n < 0 || n > 255)) return undefined;
  return { value: parts.reduce((sum, n) => (sum << 8n) | BigInt(n), 0n), width: 32 };
}

function v6(address: string): { value: bigint; width: number } | undefined {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - left.length - right.length;
  if (missing < 0 || (tail === undefined && missing !== 0)) return undefined;
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right];
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return { value: groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n), width: 128 };
}
