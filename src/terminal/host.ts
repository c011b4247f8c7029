/**
 * The terminal that the runtime itself was started on: its size, and its mode while it is lent to a container.
 *
 * @module
 */

import { failedWith } from '../../ffi/local.ts';
import type { TerminalAttributes } from '../../ffi/terminal.ts';
import { setAttributes, setRaw, setWindowSize, windowSize } from '../../ffi/terminal.ts';

export interface HostTerminal {
  /** The input is a terminal; it is in raw mode until {@link restore}. */
  isInput: boolean;
  /** Undoes everything, once. Never throws: the terminal may be gone. */
  restore(): void;
}

/**
 * Puts the terminal on `stdin`, if it is one, into raw mode, and gives a container's terminal its size, now and
 * whenever that changes. Where `stdin` is no terminal, the size is that of `stdout` or of standard error.
 *
 * @param master - of the container's terminal
 * @throws RuntsError E_SYSCALL
 */
export function openHostTerminal(master: number, stdin: number, stdout: number): HostTerminal {
  const sized = [stdin, stdout, 2].find((fd) => ifTerminal(() => windowSize(fd)) !== undefined);
  const resize = (): void => {
    if (sized !== undefined) ifTerminal(() => copySize(sized, master));
  };
  let before: TerminalAttributes | undefined;
  const setMode = (): void => {
    const attributes = ifTerminal(() => setRaw(stdin));
    before ??= attributes;
  };
  /** Somebody else, mostly a shell, had the terminal while we were stopped. */
  const resume = (): void => {
    setMode();
    resize();
  };
  resize();
  setMode();
  process.on('SIGWINCH', resize);
  process.on('SIGCONT', resume);
  let restored = false;
  return {
    isInput: before !== undefined,
    restore: () => {
      if (restored) return;
      restored = true;
      process.off('SIGWINCH', resize);
      process.off('SIGCONT', resume);
      const attributes = before;
      if (attributes !== undefined) ifTerminal(() => setAttributes(stdin, attributes));
    },
  };
}

/** A serial line doesn't know its size and says 0: then the container's terminal keeps what the config gave it. */
function copySize(from: number, to: number): void {
  const size = windowSize(from);
  if (size.rows > 0 && size.columns > 0) setWindowSize(to, size);
}

/** What `call` gives; undefined when the descriptor is no terminal, or one that was hung up, or closed. */
function ifTerminal<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (failedWith(error, 'ENOTTY', 'EIO', 'EBADF', 'EINVAL', 'ENODEV', 'ENXIO')) return undefined;
    throw error;
  }
}
