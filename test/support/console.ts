/**
 * A caller of the runtime that takes a terminal: the socket for --console-socket, and what is read of the terminal.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../../src/errors.ts';
import { receiveDescriptors } from '../../src/linux/socket.ts';
import { atEnd, temporaryFolder } from '../harness/index.ts';

/** A terminal's master, with what was read of it. */
export class Master {
  readonly fd: number;
  text = '';

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Reads until the text is there. The descriptor is non-blocking. */
  async sees(what: string): Promise<void> {
    const buffer = Buffer.alloc(65536);
    for (let i = 0; i < 500 && !this.text.includes(what); i++) {
      try {
        this.text += buffer.toString('utf8', 0, readSync(this.fd, buffer));
      } catch (error) {
        if (errnoOf(error) === 'EIO') break; // nobody has the other end open any more
        if (errnoOf(error) !== 'EAGAIN') throw error;
        await delay(20);
      }
    }
    assert.ok(this.text.includes(what), `${JSON.stringify(what)} in ${JSON.stringify(this.text)}`);
  }
}

/** Listens as a caller of the runtime does, and gives the name and the descriptor of the one message. */
export async function consoleSocket(
  t: TestContext,
  name = 'socket',
): Promise<{ path: string; message: Promise<{ data: string; fds: number[] }> }> {
  const path = join(temporaryFolder(t), name);
  const server: Server = createServer({ pauseOnConnect: true });
  const message = new Promise<{ data: string; fds: number[] }>((resolve) => {
    server.on('connection', async (socket: Socket) => {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
      for (let i = 0; i < 500; i++) {
        try {
          const { data, fds } = receiveDescriptors(fd, 4096, 4);
          socket.destroy();
          return resolve({ data: Buffer.from(data).toString(), fds });
        } catch {
          await delay(10);
        }
      }
      resolve({ data: '', fds: [] });
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  atEnd(t, 'containers', () => void server.close());
  return { path, message };
}
