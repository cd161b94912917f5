/** `sockdoc tune` for these settings and no others, as it is typed. */
export function tuneCommand(keys: readonly string[], ...options: readonly (string | undefined)[]): string {
  const only = keys.map((key) => `--only ${/[*?]/.test(key) ? `'${key}'` : key}`);
  return ['sockdoc tune', ...options.filter((option) => option !== undefined), ...only].join(' ');
}
