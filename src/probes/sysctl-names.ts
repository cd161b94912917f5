/**
 * Names as sysctl(8) prints them: "/" becomes ".", and a "." inside a folder's name (a VLAN's "eth0.100") becomes "/".
 */
export function sysctlName(path: string): string {
  return path
    .slice('/proc/sys/'.length)
    .split('/')
    .map((part) => part.replaceAll('.', '/'))
    .join('.');
}

/** The file below /proc/sys of a key as sysctl(8) prints it. */
export function sysctlPath(key: string): string {
  return `/proc/sys/${key
    .split('.')
    .map((part) => part.replaceAll('/', '.'))
    .join('/')}`;
}

/** A value as one line: trimmed, inner tabs and line ends as one space. */
export const sysctlValue = (text: string): string => text.trim().replace(/[\t\n ]+/g, ' ');
