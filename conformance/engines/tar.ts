/**
 * Archives as images are made of: POSIX ustar, always the same bytes for the same entries.
 *
 * @module
 */

const BLOCK = 512;

export interface Entry {
  /** Without a leading slash; at most 100 bytes. */
  readonly name: string;
  readonly mode: number;
  /** A file's bytes; a folder has neither this nor a target. */
  readonly data?: Uint8Array;
  /** Of a symbolic link. */
  readonly target?: string;
}

/** Type flags of ustar; https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html */
const TYPE = { file: '0', link: '2', folder: '5' } as const;

function header({ name, mode, data, target }: Entry): Buffer {
  if (Buffer.byteLength(name) > 100) throw new Error(`tar: too long a name: ${name}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), at);
  const type = data !== undefined ? TYPE.file : target !== undefined ? TYPE.link : TYPE.folder;
  block.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8); // uid
  octal(0, 116, 8); // gid
  octal(data?.length ?? 0, 124, 12);
  octal(0, 136, 12); // mtime
  block.fill(' ', 148, 156); // The sum is that with blanks in its own place.
  block.write(type, 156);
  if (target !== undefined) block.write(target, 157);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** The archive's bytes. */
export function tar(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const data = entry.data ?? new Uint8Array();
    const rest = (BLOCK - (data.length % BLOCK)) % BLOCK;
    return [header(entry), data, Buffer.alloc(rest)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
