/**
 * A runtime at work in one test: its own state folder, its containers, and proof that it leaves nothing behind.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bundle } from './bundle.ts';
import { assertNothingLeft, snapshot } from './leftovers.ts';
import { SLOWNESS } from './patience.ts';
import type { Runtime } from './runtimes.ts';
import { atEnd, temporaryFolder, uniqueId } from './temporary.ts';

/** How a command of the runtime ended. */
export interface Result {
  /** Exit code; 128 + N when it was killed by a signal. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface CallOptions {
  /** Standard input; empty when absent. */
  input?: string;
  /** Environment; this process's when absent. */
  env?: Record<string, string>;
  cwd?: string;
  /** Options before the command, besides --root. */
  globals?: readonly string[];
  /** The runtime is killed after this; 30 seconds when absent. */
  timeoutMs?: number;
}

export interface ContainerOptions extends CallOptions {
  /** A unique one when absent. */
  id?: string;
  /** Options of the command, besides --bundle. */
  flags?: readonly string[];
}

/** What `state` prints. */
export interface State {
  ociVersion: string;
  id: string;
  status: 'creating' | 'created' | 'running' | 'paused' | 'stopped';
  pid: number;
  bundle: string;
  annotations?: Record<string, string>;
  [key: string]: unknown;
}

export interface Session {
  runtime: Runtime;
  /** The state folder. */
  root: string;
  /** Any command: `call(['kill', id, '9'])`. */
  call(args: readonly string[], options?: CallOptions): Result;
  /** As {@link call}; a failure fails the test. Gives standard output. */
  ok(args: readonly string[], options?: CallOptions): string;
  /** Runs a container in the foreground. */
  run(bundle: Bundle, options?: ContainerOptions): Result & { id: string };
  /** `create`; the container's output is in `output()`. */
  create(bundle: Bundle, options?: ContainerOptions): Created;
  /** `run --detach`, likewise. */
  detach(bundle: Bundle, options?: ContainerOptions): Created;
  /** `restore --detach`, likewise. */
  restore(bundle: Bundle, options?: ContainerOptions): Created;
  /** Starts a command without waiting for it; killed when the test is over. */
  spawn(args: readonly string[], options?: CallOptions): ChildProcess;
  state(id: string): State;
  /** Waits for a status; `gone` when the runtime doesn't know the container. */
  waitFor(id: string, status: State['status'] | 'gone'): Promise<void>;
  /** Deletes every container, by force, and waits until nothing of them is left. It is called when the test is over. */
  end(): Promise<void>;
}

/** A container that holds its standard streams: files, because a pipe would have to be read to its end. */
export interface Created extends Result {
  id: string;
  /** What the container, and the runtime, have printed so far. */
  output(): string;
  /** The output once it contains this: a container prints after the runtime has gone. What there is after 10 seconds. */
  untilPrinted(text: string): string;
}

/** Begins a session, which ends with the test. */
export function session(t: TestContext, runtime: Runtime): Session {
  const before = snapshot();
  const folder = temporaryFolder(t);
  const root = join(folder, 'state');
  const children: ChildProcess[] = [];
  let files = 0;

  const commandLine = (args: readonly string[], { globals = [] }: CallOptions): [string, string[]] => {
    const [file, ...first] = runtime.command;
    return [file!, [...first, '--root', root, ...globals, ...args]];
  };
  const environment = (options: CallOptions): NodeJS.ProcessEnv => {
    if (options.env !== undefined) return options.env;
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    return env;
  };

  const call: Session['call'] = (args, options = {}) => {
    const [file, argv] = commandLine(args, options);
    const { status, signal, stdout, stderr, error } = spawnSync(file, argv, {
      input: options.input ?? '',
      cwd: options.cwd,
      env: environment(options),
      timeout: (options.timeoutMs ?? 30_000) * SLOWNESS,
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 28,
      encoding: 'utf8',
    });
    // A runtime that fails before it reads its input, as one with nothing to read for.
    if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE')
      throw new Error(`${runtime.name} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`);
    return { code: status ?? 128 + signalNumber(signal), stdout, stderr };
  };

  const start = (command: readonly string[], bundle: Bundle, options: ContainerOptions): Created => {
    const id = options.id ?? uniqueId();
    const [file, argv] = commandLine(
      [...command, '--bundle', bundle.path, ...(options.flags ?? []), id],
      options,
    );
    const path = join(folder, `output-${files++}`);
    const stdout = openSync(path, 'a');
    const stderr = openSync(`${path}.err`, 'a');
    const read = (): { stdout: string; stderr: string } => ({
      stdout: readFileSync(path, 'utf8'),
      stderr: readFileSync(`${path}.err`, 'utf8'),
    });
    const { status, signal, error } = spawnSync(file, argv, {
      stdio: ['ignore', stdout, stderr],
      cwd: options.cwd,
      env: environment(options),
      timeout: (options.timeoutMs ?? 30_000) * SLOWNESS,
      killSignal: 'SIGKILL',
    });
    closeSync(stdout);
    closeSync(stderr);
    if (error) throw new Error(`${runtime.name} ${command.join(' ')}: ${error.message}\n${read().stderr}`);
    const output = (): string => {
      const now = read();
      return now.stdout + now.stderr;
    };
    const untilPrinted = (text: string): string => {
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (let i = 0; i < 500 * SLOWNESS && !output().includes(text); i++) Atomics.wait(pause, 0, 0, 20);
      return output();
    };
    return { code: status ?? 128 + signalNumber(signal), ...read(), id, output, untilPrinted };
  };

  const self: Session = {
    runtime,
    root,
    call,
    ok: (args, options) => {
      const { code, stdout, stderr } = call(args, options);
      assert.equal(code, 0, `${runtime.name} ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
      return stdout;
    },
    run: (bundle, options = {}) => {
      const id = options.id ?? uniqueId();
      return { id, ...call(['run', '--bundle', bundle.path, ...(options.flags ?? []), id], options) };
    },
    create: (bundle, options = {}) => start(['create'], bundle, options),
    detach: (bundle, options = {}) => start(['run', '--detach'], bundle, options),
    restore: (bundle, options = {}) => start(['restore', '--detach'], bundle, options),
    spawn: (args, options = {}) => {
      const [file, argv] = commandLine(args, options);
      const child = spawn(file, argv, { cwd: options.cwd, env: environment(options) });
      if (options.input !== undefined) child.stdin.end(options.input);
      children.push(child);
      return child;
    },
    state: (id) => JSON.parse(self.ok(['state', id])) as State,
    waitFor: async (id, status) => {
      let now: string = 'unknown';
      for (let i = 0; i < 200 * SLOWNESS; i++) {
        const { code, stdout } = call(['state', id]);
        now = code === 0 ? (JSON.parse(stdout) as State).status : 'gone';
        if (now === status) return;
        await delay(50);
      }
      assert.equal(now, status, `status of ${id} after many looks`);
    },
    end: async () => {
      for (const child of children) child.kill('SIGKILL');
      const ids = existsSync(root) ? readdirSync(root, { withFileTypes: true }) : [];
      for (const entry of ids) if (entry.isDirectory()) call(['delete', '--force', entry.name]);
      await assertNothingLeft(before, [root]);
    },
  };
  atEnd(t, 'containers', () => self.end());
  return self;
}

/** As the rest of the tests knows it: 9 for `SIGKILL`. */
function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGQUIT: 3,
    SIGABRT: 6,
    SIGBUS: 7,
    SIGKILL: 9,
    SIGSEGV: 11,
    SIGPIPE: 13,
    SIGTERM: 15,
  };
  return signal === null ? 0 : (numbers[signal] ?? 0);
}

/** Runs a container in the foreground, once: for tests that need nothing else of a session. */
export function runContainer(
  t: TestContext,
  runtime: Runtime,
  bundle: Bundle,
  options?: ContainerOptions,
): Result & { id: string } {
  return session(t, runtime).run(bundle, options);
}
