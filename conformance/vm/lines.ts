import type { Socket } from 'node:net';

/** Passes on each whole line of what comes in pieces. */
export function wholeLines(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
  };
}

/**
 * The lines that arrive at a socket. Not node:readline, which throws when the other end is killed.
 *
 * @returns a function for the next line: undefined when the socket has closed
 */
export function linesOf(socket: Socket): () => Promise<string | undefined> {
  const lines: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let closed = false;
  const arrived = wholeLines((line) => {
    const receiver = waiting.shift();
    if (receiver === undefined) lines.push(line);
    else receiver(line);
  });
  socket.setEncoding('utf8').on('data', arrived);
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
