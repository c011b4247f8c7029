/**
 * Lists of processors and memory nodes, `0-3,7`: cpuset(7), "List format".
 *
 * @module
 */

/** More than any kernel has: the largest NR_CPUS is 8192, the largest MAX_NUMNODES 1024. */
const GREATEST = 65535;

/** The numbers of a list as ranges; what is wrong with it as a string. Empty elements and spaces around are nothing. */
export function parseList(text: string): [first: number, last: number][] | string {
  const ranges: [number, number][] = [];
  for (const element of text.split(',')) {
    const range = element.trim();
    if (range === '') continue;
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range);
    if (match === null) return `${JSON.stringify(range)} is neither a number nor a range such as 0-3`;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first) return `the range ${range} runs backwards`;
    if (last > GREATEST) return `${last} is above ${GREATEST}`;
    ranges.push([first, last]);
  }
  return ranges.length === 0 ? 'it names nothing' : ranges;
}

/** The numbers of a valid list as a bit mask of whole 64-bit words, little endian: as large as the list needs. */
export function listMask(text: string): Uint8Array {
  const ranges = parseList(text);
  if (typeof ranges === 'string') throw new Error(ranges);
  const bits = Math.max(...ranges.map(([, last]) => last)) + 1;
  const mask = new Uint8Array(Math.ceil(bits / 64) * 8);
  for (const [first, last] of ranges) {
    for (let bit = first; bit <= last; bit++) mask[bit >> 3]! |= 1 << (bit & 7);
  }
  return mask;
}
