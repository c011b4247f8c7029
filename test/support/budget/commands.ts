/**
 * The commands of a container's life, each under strace.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Runtime, session, tempBundle, temporaryFolder, uniqueId } from '../../harness/index.ts';
import { type Calls, countCalls } from './calls.ts';

/** Nothing of the caller's that an engine might look at. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

/** Counts of each command, once. */
export async function traceCommands(t: TestContext, runtime: Runtime): Promise<Record<string, Calls>> {
  const s = session(t, runtime);
  const folder = temporaryFolder(t);
  const sleeping = tempBundle(t, { args: ['sleep', '100000'], rootfs: 'shared' });
  const short = tempBundle(t, { args: ['true'], rootfs: 'shared' });
  const id = uniqueId();
  const calls: Record<string, Calls> = {};
  const argv = (name: string, args: readonly string[]): string[] => [
    ...['strace', '-f', '-s', '400', '-o', join(folder, name), ...runtime.command],
    ...['--root', s.root, ...args],
  ];
  const count = (name: string, bundle?: string): void => {
    calls[name] = countCalls(readFileSync(join(folder, name), 'utf8'), { root: s.root, bundle });
  };
  const trace = (name: string, args: readonly string[], bundle?: string): void => {
    const [file, ...rest] = argv(name, args);
    const { status, stderr } = spawnSync(file!, rest, { env: ENVIRONMENT, encoding: 'utf8' });
    assert.equal(status, 0, `${runtime.name} ${args.join(' ')}: ${stderr}`);
    count(name, bundle);
  };

  // The tracer of `create` stays as long as the container.
  const [file, ...rest] = argv('create', ['create', '--bundle', sleeping.path, id]);
  const tracer: ChildProcess = spawn(file!, rest, { env: ENVIRONMENT, stdio: 'ignore' });
  const ended = once(tracer, 'exit');
  await s.waitFor(id, 'created');
  trace('start', ['start', id]);
  trace('state', ['state', id]);
  trace('exec', ['exec', id, 'true']);
  trace('kill', ['kill', id, 'KILL']);
  await s.waitFor(id, 'stopped');
  trace('delete', ['delete', id]);
  await ended;
  count('create', sleeping.path);
  trace('run', ['run', '--bundle', short.path, uniqueId()], short.path);
  return calls;
}
