/**
 * CRI's streams: what `kubectl exec` and `kubectl attach` carry, over a WebSocket (RFC 6455) with the subprotocol
 * v4.channel.k8s.io: the first byte of a message names its channel.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4 } as const;

const BINARY = 2;
const CLOSE = 8;

/** A frame of a client: whole, and masked as clients' must be. */
function encodeFrame(opcode: number, data: Uint8Array): Buffer {
  if (data.length >= 126) throw new Error('only short messages are sent');
  const mask = randomBytes(4);
  const masked = data.map((byte, i) => byte ^ mask[i % 4]!);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length]), mask, masked]);
}

interface Frame {
  readonly opcode: number;
  readonly data: Buffer;
  /** Bytes of the frame in the stream. */
  readonly size: number;
}

/** A server's frame at the start of what has come; undefined when it isn't whole. */
function decodeFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  let [length, at] = [bytes[1]! & 0x7f, 2];
  const extra = { 126: 2, 127: 8 }[length] ?? 0;
  if (bytes.length < at + extra) return undefined;
  if (extra === 2) length = bytes.readUInt16BE(at);
  if (extra === 8) length = Number(bytes.readBigUInt64BE(at));
  at += extra;
  if (bytes.length < at + length) return undefined;
  return { opcode: bytes[0]! & 0x0f, data: bytes.subarray(at, at + length), size: at + length };
}

export interface Stream {
  send(channel: number, text: string): void;
  /** What has come on a channel. */
  text(channel: number): string;
  /** When the server has closed it. */
  readonly ended: Promise<void>;
  close(): void;
}

/**
 * Opens the stream that `Exec` or `Attach` has prepared.
 *
 * @param url - of their response
 */
export function openStream(url: string): Promise<Stream> {
  const { hostname, port, pathname, host } = new URL(url);
  const texts: string[] = [];
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(port), hostname);
    let end = (): void => {};
    const ended = new Promise<void>((done) => {
      end = done;
    });
    let bytes = Buffer.alloc(0);
    let isOpen = false;
    const stream: Stream = {
      send: (channel, text) =>
        void socket.write(encodeFrame(BINARY, Buffer.concat([Buffer.from([channel]), Buffer.from(text)]))),
      text: (channel) => texts[channel] ?? '',
      ended,
      close: () => void socket.destroy(),
    };
    const readHead = (): void => {
      const length = bytes.indexOf('\r\n\r\n');
      if (length < 0) return;
      const [status = ''] = bytes.toString('latin1', 0, length).split('\r\n');
      bytes = bytes.subarray(length + 4);
      isOpen = status.includes(' 101 ');
      if (isOpen) resolve(stream);
      else reject(new Error(`${url}: ${status}`));
    };
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!isOpen) readHead();
      for (let frame = decodeFrame(bytes); isOpen && frame; frame = decodeFrame(bytes)) {
        bytes = bytes.subarray(frame.size);
        if (frame.opcode === CLOSE) socket.end();
        const channel = frame.data[0];
        if (frame.opcode !== BINARY || channel === undefined) continue;
        texts[channel] = (texts[channel] ?? '') + frame.data.toString('utf8', 1);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error(`${url}: closed`));
      end();
    });
    const lines = [
      `GET ${pathname} HTTP/1.1`,
      `Host: ${host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: v4.channel.k8s.io',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}
