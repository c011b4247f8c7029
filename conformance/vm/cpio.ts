/**
 * Writer for the "newc" cpio format that the kernel unpacks an initramfs from
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * @module
 */

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** A file with its bytes, or a folder without. Everything belongs to root. */
export interface CpioEntry {
  /** Without a leading slash; folders come before what is in them. */
  readonly path: string;
  readonly data?: Uint8Array;
  /** Permission bits; 0644 for a file and 0755 for a folder without. */
  readonly mode?: number;
}

function padded(size: number): number {
  return (size + 3) & ~3;
}

function record(path: string, mode: number, links: number, inode: number, data: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  const dataAt = padded(head.length + name.length);
  const buffer = Buffer.alloc(dataAt + padded(data.length));
  buffer.write(head, 0, 'latin1');
  name.copy(buffer, head.length);
  buffer.set(data, dataAt);
  return buffer;
}

/** The whole archive. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const none = new Uint8Array(0);
  const records = entries.map(({ path, data, mode }, i) =>
    data === undefined
      ? record(path, S_IFDIR | (mode ?? 0o755), 2, i + 1, none)
      : record(path, S_IFREG | (mode ?? 0o644), 1, i + 1, data),
  );
  return Buffer.concat([...records, record('TRAILER!!!', 0, 1, 0, none)]);
}
