/** A time of the API as Docker's prose shows it: `2024-01-02 03:04:05.678 +0000 utc`. What is no time stays as it is. */
export function goTime(time: string | undefined): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/.exec(time ?? '');
  if (match === null) return time ?? '';
  const fraction = (match[3] ?? '').replace(/\.?0+$/, '');
  return `${match[1]} ${match[2]}${fraction} +0000 utc`;
}
