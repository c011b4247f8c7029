/**
 * Requests to the kernel's network configuration: netlink(7), rtnetlink(7), RFC 3549. Only what moving devices and
 * taking away a table of nftables need.
 *
 * @module
 */

import { closeSync } from '#files';
import { errnoName } from '../../ffi/constants/errno.ts';
import { NFNL } from '../../ffi/constants/netfilter.ts';
import { NETLINK, NETLINK_OPTION, NLM_F, NLMSG, NLMSGERR_ATTR } from '../../ffi/constants/netlink.ts';
import { AF, SOCK } from '../../ffi/constants/socket.ts';
import { restartingSyscall, syscall, trySyscall } from '../../ffi/local.ts';
import { utf8 } from '../../ffi/text.ts';

/** struct nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence number, u32 port. */
const HEADER = 16;
/** struct nlattr: u16 length, u16 type. */
const ATTRIBUTE_HEADER = 4;
/** The kernel sends parts of a dump of up to 32 KB to whoever can read them. */
const BUFFER_SIZE = 65536;
/** Bits of an attribute's type that are not its number: nested, network byte order. */
const TYPE_MASK = 0x3fff;

/** An answer: what follows the header. */
export interface Message {
  type: number;
  payload: Uint8Array;
}

/** A refusal by the kernel. `text` is the kernel's explanation, or empty. */
export class NetlinkError extends Error {
  /** `EEXIST`... */
  readonly errno: string;
  readonly text: string;

  constructor(errno: number, text: string) {
    super(text === '' ? errnoName(errno) : `${errnoName(errno)}: ${text}`);
    this.errno = errnoName(errno);
    this.text = text;
  }
}

/** One attribute: number and value. */
export type Attribute = readonly [type: number, value: Uint8Array];

/** A socket in the network namespace that it was opened in, and that it stays in. */
export class NetlinkSocket {
  readonly #fd: number;
  #sequence = 0;

  constructor(what: string, protocol: number = NETLINK.ROUTE) {
    this.#fd = syscall('socket', [AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC, protocol], { what });
    // With reasons in words; a kernel without them goes on without.
    const on = new Int32Array([1]);
    trySyscall('setsockopt', [this.#fd, NETLINK_OPTION.LEVEL, NETLINK_OPTION.EXT_ACK, on, 4]);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /**
   * A request that changes something.
   *
   * @throws NetlinkError
   */
  change(type: number, flags: number, body: Uint8Array, attributes: readonly Attribute[]): void {
    this.#send(type, NLM_F.REQUEST | NLM_F.ACK | flags, body, attributes);
    this.#receive();
  }

  /**
   * A change of one of netfilter's subsystems, which takes several at once between two messages.
   *
   * @param type - the subsystem's own
   * @throws NetlinkError
   */
  changeInBatch(subsystem: number, type: number, body: Uint8Array, attributes: readonly Attribute[]): void {
    // struct nfgenmsg, with the subsystem in network byte order
    const frame = new Uint8Array([0, 0, 0, subsystem]);
    const flags = NLM_F.REQUEST | NLM_F.ACK;
    const messages = [
      encodeMessage(NFNL.BATCH_BEGIN, NLM_F.REQUEST, 0, frame, []),
      encodeMessage((subsystem << 8) | type, flags, ++this.#sequence, body, attributes),
      encodeMessage(NFNL.BATCH_END, NLM_F.REQUEST, 0, frame, []),
    ];
    const bytes = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const message of messages) {
      bytes.set(message, offset);
      offset += message.length;
    }
    restartingSyscall('write', [this.#fd, bytes, bytes.length], { what: 'netlink' });
    this.#receive();
  }

  /** All objects of a kind. */
  dump(type: number, body: Uint8Array): Message[] {
    this.#send(type, NLM_F.REQUEST | NLM_F.DUMP, body, []);
    return this.#receive();
  }

  #send(type: number, flags: number, body: Uint8Array, attributes: readonly Attribute[]): void {
    const message = encodeMessage(type, flags, ++this.#sequence, body, attributes);
    restartingSyscall('write', [this.#fd, message, message.length], { what: 'netlink' });
  }

  /** Everything up to the acknowledgement, or to the end of a dump. */
  #receive(): Message[] {
    const answers: Message[] = [];
    const buffer = new Uint8Array(BUFFER_SIZE);
    for (;;) {
      const length = restartingSyscall('read', [this.#fd, buffer, buffer.length], { what: 'netlink' });
      for (const { sequence, flags, type, payload } of decodeMessages(buffer.slice(0, length))) {
        if (sequence !== this.#sequence) continue;
        if (type === NLMSG.DONE) return answers;
        if (type !== NLMSG.ERROR) answers.push({ type, payload });
        else {
          const failure = decodeError(payload, flags);
          if (failure === undefined) return answers;
          throw failure;
        }
      }
    }
  }
}

/** A message with its header and attributes. */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  body: Uint8Array,
  attributes: readonly Attribute[],
): Uint8Array {
  const size = attributes.reduce((sum, [, value]) => sum + align(ATTRIBUTE_HEADER + value.length), 0);
  const message = new Uint8Array(HEADER + align(body.length) + size);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  message.set(body, HEADER);
  let offset = HEADER + align(body.length);
  for (const [number, value] of attributes) {
    view.setUint16(offset, ATTRIBUTE_HEADER + value.length, true);
    view.setUint16(offset + 2, number, true);
    message.set(value, offset + ATTRIBUTE_HEADER);
    offset += align(ATTRIBUTE_HEADER + value.length);
  }
  return message;
}

interface Received extends Message {
  flags: number;
  sequence: number;
}

/** The messages of one read. */
export function decodeMessages(data: Uint8Array): Received[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const messages: Received[] = [];
  for (let offset = 0; offset + HEADER <= data.length; ) {
    const length = view.getUint32(offset, true);
    if (length < HEADER || offset + length > data.length) break;
    messages.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      payload: data.subarray(offset + HEADER, offset + length),
    });
    offset += align(length);
  }
  return messages;
}

/** The attributes after a body of `skip` bytes, by number. */
export function decodeAttributes(payload: Uint8Array, skip: number): Map<number, Uint8Array> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const attributes = new Map<number, Uint8Array>();
  for (let offset = align(skip); offset + ATTRIBUTE_HEADER <= payload.length; ) {
    const length = view.getUint16(offset, true);
    if (length < ATTRIBUTE_HEADER || offset + length > payload.length) break;
    const type = view.getUint16(offset + 2, true) & TYPE_MASK;
    attributes.set(type, payload.slice(offset + ATTRIBUTE_HEADER, offset + length));
    offset += align(length);
  }
  return attributes;
}

/** struct nlmsgerr: the negative errno, then the header of the request, its payload unless it is capped, attributes. */
function decodeError(payload: Uint8Array, flags: number): NetlinkError | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const errno = -view.getInt32(0, true);
  if (errno === 0) return undefined;
  if ((flags & NLM_F.ACK_TLVS) === 0) return new NetlinkError(errno, '');
  const request = (flags & NLM_F.CAPPED) === 0 ? view.getUint32(4, true) : HEADER;
  const text = decodeAttributes(payload, 4 + request).get(NLMSGERR_ATTR.MSG);
  return new NetlinkError(errno, text === undefined ? '' : decodeString(text));
}

/** A string attribute with its NUL. */
export function encodeString(text: string): Uint8Array {
  return utf8(`${text}\0`);
}

export function decodeString(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

export function encodeUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function decodeUint32(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(0, true);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
