/**
 * Signals that come while a container is made.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import { signalName } from '../linux/signals.ts';
import { type CaughtSignals, catchSignals, ENDING, FORWARDED } from '../terminal/signals.ts';

/**
 * What becomes of the signals: by their default action they would end the runtime and leave a half-made container.
 *
 * - SIGHUP, SIGINT and SIGTERM end the creation: the step that is running comes to its end, a hook is killed, all that was
 *   made is removed, and the command fails with 128+N. runc passes them on once the command runs, where they are lost on
 *   most: the first process of a pid namespace has no handler yet, so the kernel drops them. Nor can it be told to end
 *   while a hook hangs.
 * - In the foreground, what else {@link FORWARDED} has is kept for the command, and from its start on these three are too.
 * - Otherwise nothing else is caught, and the three end the creation up to its last step.
 */
export class Interruption {
  readonly #foreground: boolean;
  #caught: CaughtSignals | undefined;
  #commandRuns = false;

  constructor(foreground: boolean) {
    this.#foreground = foreground;
  }

  /** To be called before anything is made. */
  begin(): void {
    this.#caught = catchSignals(this.#foreground ? FORWARDED : ENDING);
  }

  /** To be called before anything of the container can run. */
  commandRuns(): void {
    this.#commandRuns = true;
  }

  /** Between two steps. @throws RuntsError E_INTERRUPTED when a signal has ended the creation */
  async check(): Promise<void> {
    const failure = await this.failure();
    if (failure !== undefined) throw failure;
  }

  /** That a signal has ended the creation, if one has. */
  async failure(): Promise<RuntsError | undefined> {
    if (!this.#ends()) return undefined;
    const signal = (await this.caught.kept()).find((one) => ENDING.includes(one));
    if (signal === undefined) return undefined;
    return new RuntsError('E_INTERRUPTED', `interrupted by ${signalName(signal)}: no container was made`, {
      exitCode: 128 + signal,
    });
  }

  /** Calls `end` when a signal ends the creation or has done so, until what this gives is called. */
  async onEnding(end: () => void): Promise<() => void> {
    this.caught.listen((signal) => {
      if (this.#ends() && ENDING.includes(signal)) end();
    });
    if ((await this.failure()) !== undefined) end();
    return () => this.caught.listen(undefined);
  }

  /** What was caught, for the rest of the command. */
  get caught(): CaughtSignals {
    return this.#caught!;
  }

  #ends(): boolean {
    return !(this.#foreground && this.#commandRuns);
  }
}
