/**
 * The container's terminal on the runtime's own: `run` in the foreground with `process.terminal`.
 *
 * @see pty(7), termios(3)
 * @module
 */

import { closeSync, readSync, writeSync } from '#files';
import { F } from '../../ffi/constants/index.ts';
import { POLL, pipe, poll } from '../../ffi/descriptors.ts';
import { syscall } from '../../ffi/local.ts';
import { whenReady } from '../../ffi/ready.ts';
import { attributes } from '../../ffi/terminal.ts';
import { errnoOf } from '../errors.ts';
import { type HostTerminal, openHostTerminal } from './host.ts';

export interface RelayOptions {
  /** Where the input comes from; 0 when absent. A terminal is set to raw mode. */
  stdin?: number;
  /** Where the output goes; 1 when absent. */
  stdout?: number;
}

export interface Relay {
  /**
   * To be called when the container has ended: writes all that it has printed, and gives the runtime's terminal back as
   * it was.
   */
  finish(): Promise<void>;
}

/** A pipe that is ready for writing takes this much at once (PIPE_BUF); a terminal's buffer has the same size. */
const CHUNK = 4096;

/** After this many transfers in a row the event loop gets its turn: for signals. */
const BURST = 16;

/** While no process has the container's terminal open, whether one has opened it again can only be asked. */
const REOPEN_MS = 100;

/** What a process that outlives the container's init prints is relayed up to here once init is gone. */
const DRAIN_LIMIT = 1 << 20;

const O_NONBLOCK = 0o4000;
const ICANON = 0o2;
const LOCAL_FLAGS = 12;
const VEOF = 17 + 4;
const CONTROL_D = 4;

/**
 * Relays between the runtime's standard streams and a container's terminal, in the background.
 *
 * - The terminal gets the size of the runtime's terminal, now and whenever that changes.
 * - Input that is no terminal and ends is followed by the terminal's end-of-file character.
 * - When the output can't be written any more (a closed pipe), the container's terminal is hung up.
 *
 * @param master - of the container's terminal; it is closed at the end
 * @throws RuntsError E_SYSCALL
 */
export function relayTerminal(master: number, options: RelayOptions = {}): Relay {
  return new TerminalRelay(master, options.stdin ?? 0, options.stdout ?? 1);
}

class TerminalRelay implements Relay {
  readonly #master: number;
  readonly #stdin: number;
  readonly #stdout: number;
  readonly #host: HostTerminal;
  /** A byte written to `to` ends the wait for descriptors. */
  readonly #wake: { from: number; to: number };
  readonly #done: Promise<void>;
  /** Input on its way to the container, and output on its way from it. */
  #input = new Uint8Array(0);
  #output = new Uint8Array(0);
  #inputEnded = false;
  #lineEnded = true;
  /** No process of the container has the terminal open. */
  #hungUp = false;
  /** Init has ended. */
  #finishing = false;
  /** The output can't be written any more. */
  #broken = false;
  #ended = false;

  constructor(master: number, stdin: number, stdout: number) {
    this.#master = master;
    this.#stdin = stdin;
    this.#stdout = stdout;
    syscall('fcntl', [master, F.SETFL, syscall('fcntl', [master, F.GETFL]) | O_NONBLOCK]);
    const [from, to] = pipe();
    this.#wake = { from, to };
    this.#host = openHostTerminal(master, stdin, stdout);
    process.on('exit', this.#onExit);
    this.#done = this.#run();
    // It is `finish` that reports a failure, and until then nobody listens.
    this.#done.catch(() => {});
  }

  async finish(): Promise<void> {
    this.#finishing = true;
    this.#wakeUp();
    await this.#done;
  }

  /** A worker that still waits would keep Node from exiting, and the terminal must not stay raw. */
  readonly #onExit = (): void => {
    this.#host.restore();
    this.#wakeUp();
  };

  #wakeUp(): void {
    if (!this.#ended) writeSync(this.#wake.to, 'w');
  }

  async #run(): Promise<void> {
    try {
      while (!this.#finishing && !this.#broken) await this.#round();
      // On a broken output the hangup is all that is left to do.
      if (!this.#broken) await this.#drain();
    } finally {
      this.#ended = true;
      process.off('exit', this.#onExit);
      this.#host.restore();
      closeSync(this.#master);
      closeSync(this.#wake.from);
      closeSync(this.#wake.to);
    }
  }

  /** Waits until something can be moved, and moves it and what comes right behind it. */
  async #round(): Promise<void> {
    const ready = await whenReady(this.#interests(), this.#hungUp ? REOPEN_MS : -1);
    this.#hungUp = false;
    this.#transfer(ready);
    for (let i = 0; i < BURST && !this.#finishing && !this.#broken && !this.#hungUp; i++) {
      const more = poll(this.#interests(), 0);
      if (more.every((events) => events === 0)) return;
      this.#transfer(more);
    }
  }

  /** In the order of {@link #transfer}. -1 stands for a descriptor that nothing is wanted of. */
  #interests(): { fd: number; events: number }[] {
    const wantsInput = !this.#inputEnded && this.#input.length === 0;
    const wantsOutput = this.#output.length === 0;
    const events = (wantsOutput ? POLL.IN : 0) | (this.#input.length > 0 ? POLL.OUT : 0);
    return [
      { fd: this.#wake.from, events: POLL.IN },
      { fd: wantsInput ? this.#stdin : -1, events: POLL.IN },
      { fd: events !== 0 && !this.#hungUp ? this.#master : -1, events },
      { fd: wantsOutput ? -1 : this.#stdout, events: POLL.OUT },
    ];
  }

  #transfer([, stdin = 0, master = 0, stdout = 0]: readonly number[]): void {
    if (stdout !== 0) this.#writeOutput();
    if (master !== 0) {
      if ((master & (POLL.IN | POLL.HUP)) === POLL.HUP) this.#hungUp = true;
      if (this.#input.length > 0) this.#writeInput();
      if (this.#output.length === 0) this.#readOutput();
    }
    if (stdin !== 0) this.#readInput();
  }

  #readInput(): void {
    const got = tryRead(this.#stdin);
    if (got === null) return;
    if (got.length > 0) {
      this.#lineEnded = got.at(-1) === '\n'.charCodeAt(0);
      this.#input = got;
    } else {
      this.#inputEnded = true;
      // A terminal that ends is hung up, and the container gets the SIGHUP.
      if (!this.#host.isInput) this.#input = this.#endOfFile();
    }
    this.#writeInput();
  }

  /** What makes a read(2) in the container return 0; on an unfinished line the first such character only ends the line. */
  #endOfFile(): Uint8Array<ArrayBuffer> {
    const termios = attributes(this.#master);
    const canonical = (new DataView(termios.buffer).getUint32(LOCAL_FLAGS, true) & ICANON) !== 0;
    return new Uint8Array(canonical && !this.#lineEnded ? 2 : 1).fill(termios[VEOF] || CONTROL_D);
  }

  #writeInput(): void {
    try {
      this.#input = this.#input.subarray(writeSync(this.#master, this.#input));
    } catch (error) {
      // EAGAIN: nobody reads it yet. EIO: nobody can any more.
      if (errnoOf(error) === 'EIO') this.#input = this.#input.subarray(this.#input.length);
      else if (errnoOf(error) !== 'EAGAIN') throw error;
    }
  }

  /** @returns whether there was any */
  #readOutput(): boolean {
    const got = tryRead(this.#master);
    if (got === null) return false;
    if (got.length === 0) {
      this.#hungUp = true;
      return false;
    }
    this.#output = got;
    // Most often it can be written at once; it must not block, or signals would wait for a reader of the output.
    if (poll([{ fd: this.#stdout, events: POLL.OUT }], 0)[0] !== 0) this.#writeOutput();
    return true;
  }

  #writeOutput(): void {
    try {
      this.#output = this.#output.subarray(writeSync(this.#stdout, this.#output));
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') this.#broken = true;
    }
  }

  /** Init is gone: what it printed is in the terminal's buffers, which the kernel has flushed when a read finds nothing. */
  async #drain(): Promise<void> {
    for (let left = DRAIN_LIMIT; left > 0; left -= CHUNK) {
      while (this.#output.length > 0 && !this.#broken) {
        await whenReady([{ fd: this.#stdout, events: POLL.OUT }]);
        this.#writeOutput();
      }
      if (this.#broken || !this.#readOutput()) return;
    }
  }
}

/** @returns an empty array at the end of the file, which a terminal without users reports as EIO; null for "not now" */
function tryRead(fd: number): Uint8Array<ArrayBuffer> | null {
  const buffer = new Uint8Array(CHUNK);
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, null));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EAGAIN') return null;
    if (errno === 'EIO' || errno === 'EBADF' || errno === 'ECONNRESET') return buffer.subarray(0, 0);
    throw error;
  }
}
