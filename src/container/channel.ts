/**
 * The parent's end of the socket to an executor.
 *
 * @module
 */

import { closeSync, writeSync } from '#files';
import { type Report, readReport } from '../../ffi/report.ts';
import { errnoOf } from '../errors.ts';
import { TAG } from '../plan/protocol.ts';

export type Note = Extract<Report, { type: 'note' }>;

/** What came instead of the note that was waited for: failure.ts, which is loaded for that alone, makes the error of it. */
export class Unexpected extends Error {
  readonly report: Report | null;

  constructor(report: Report | null) {
    super(`the executor: ${report?.type ?? 'end of file'}`);
    this.report = report;
  }
}

/** Reads notes in the order that the parent wants them, and answers. */
export class Channel {
  readonly #fd: number;
  readonly #failure: (report: Report | null) => Error;
  /** Notes that came early: the first stage and init write to the same socket, and init may be faster. */
  readonly #early: Note[] = [];

  /** @param failure - makes the error of a report that is not what was waited for */
  constructor(fd: number, failure: (report: Report | null) => Error = (report) => new Unexpected(report)) {
    this.#fd = fd;
    this.#failure = failure;
  }

  /** Waits for a note with one of these tags. Throws what the executor failed of. */
  expect(...tags: number[]): Note {
    const known = this.#early.findIndex((note) => tags.includes(note.tag));
    if (known >= 0) return this.#early.splice(known, 1)[0]!;
    for (;;) {
      const report = readReport(this.#fd);
      if (report?.type !== 'note' || report.tag === TAG.NOT_FOUND) throw this.#failure(report);
      if (tags.includes(report.tag)) return report;
      this.#early.push(report);
    }
  }

  /** Waits for the end of file that execve makes; anything else is its failure. */
  expectExec(): void {
    const report = readReport(this.#fd);
    if (report !== null) throw this.#failure(report);
  }

  /** Lets the executor go on; `answer` is one character, where it asked something. */
  go(answer = 'g'): void {
    try {
      writeSync(this.#fd, answer);
    } catch (error) {
      // It died while it waited; what it said before tells why.
      if (errnoOf(error) === 'EPIPE') throw this.#failure(readReport(this.#fd));
      throw error;
    }
  }

  /** The socket, for a message that is no report. */
  get socket(): number {
    return this.#fd;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
