import type { Socket } from 'node:net';

/**
 * The lines that arrive at a socket. Not node:readline, which throws when the other end is killed.
 *
 * @returns a function for the next line: undefined when the socket has closed
 */
export function linesOf(socket: Socket): () => Promise<string | undefined> {
  const lines: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let rest = '';
  let closed = false;
  socket.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    for (const line of parts) {
      const receiver = waiting.shift();
      if (receiver === undefined) lines.push(line);
      else receiver(line);
    }
  });
  socket.on('close', () => {
    closed = true;
    for (const receiver of waiting.splice(0)) receiver(undefined);
  });
  return () => {
    const line = lines.shift();
    if (line !== undefined || closed) return Promise.resolve(line);
    return new Promise((resolve) => waiting.push(resolve));
  };
}
