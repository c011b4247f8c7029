/**
 * The executor's messages for tests, which read them from a file or pipe at once (report.ts reads them as they come).
 *
 * @module
 */

import { INDEX_HEADER, MESSAGE, TYPE } from '../abi.ts';

/** What the executor reports. `index` is that of the operation in the program. */
export type Message =
  | { readonly type: 'fail'; readonly index: number; readonly errno: number; readonly text: string }
  | {
      readonly type: 'note';
      readonly index: number;
      readonly tag: number;
      readonly value: number;
      readonly text: string;
    }
  /** The tape broke a rule, so nothing was performed; `index` is -1 when the header did. */
  | { readonly type: 'refused'; readonly index: number; readonly reason: number };

/** Decodes messages that follow each other. */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const messages: Message[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const decoded = decodeMessage(bytes, offset);
    if (decoded === undefined) throw new Error(`${bytes.length - offset} bytes that are no message`);
    messages.push(decoded.message);
    offset += decoded.size;
  }
  return messages;
}

/**
 * Decodes the message at `offset`.
 *
 * @returns the message and how many bytes it takes, or undefined when there are too few bytes for one
 */
function decodeMessage(
  bytes: Uint8Array,
  offset = 0,
): { readonly message: Message; readonly size: number } | undefined {
  const available = bytes.length - offset;
  if (available < MESSAGE.SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, available);
  const size = MESSAGE.SIZE + view.getUint32(MESSAGE.TEXT_LENGTH, true);
  if (available < size) return undefined;
  return { message: decode(view, size), size };
}

function decode(view: DataView, size: number): Message {
  const index = view.getUint32(MESSAGE.INDEX, true);
  const a = signed64(view, MESSAGE.A);
  const text = () =>
    new TextDecoder().decode(
      new Uint8Array(view.buffer, view.byteOffset + MESSAGE.SIZE, size - MESSAGE.SIZE),
    );
  switch (view.getUint32(MESSAGE.TYPE, true)) {
    case TYPE.NOTE:
      return { type: 'note', index, tag: a, value: signed64(view, MESSAGE.B), text: text() };
    case TYPE.REFUSED:
      return { type: 'refused', index: index === INDEX_HEADER ? -1 : index, reason: a };
    default:
      return { type: 'fail', index, errno: a, text: text() };
  }
}

/** A 64-bit word as a number: exact up to 2 ** 53, which ids, descriptors and errnos never reach. */
function signed64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x100000000 + view.getUint32(at, true);
}
