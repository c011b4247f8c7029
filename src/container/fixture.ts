/**
 * States of containers for tests, made without a container.
 *
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { identify } from './process.ts';
import { type ContainerState, makeStateDirectory, STATE_VERSION, writeState } from './state.ts';

/** A folder that is gone when the test is over. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'runts-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A stopped container's state, changed by `changes`. */
export function fakeState(
  rootPath: string,
  id: string,
  changes: Partial<ContainerState> = {},
): ContainerState {
  return {
    stateVersion: STATE_VERSION,
    id,
    phase: 'running',
    creator: { pid: 1, startTime: -1 },
    init: null,
    cgroup: null,
    ociVersion: '1.3.0',
    bundle: `/bundles/${id}`,
    rootfs: `/bundles/${id}/rootfs`,
    rootPath,
    created: '2026-01-02T03:04:05.678Z',
    owner: 0,
    annotations: {},
    hooks: { startContainer: [], poststart: [], poststop: [] },
    process: { args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 } },
    namespaces: [{ type: 'pid' }, { type: 'mount' }],
    uidMappings: [],
    gidMappings: [],
    resources: null,
    seccompFilter: null,
    rootless: false,
    noPivot: false,
    noNewKeyring: false,
    ...changes,
  };
}

/** As fakeState, and written to its folder. */
export function putState(
  rootPath: string,
  id: string,
  changes: Partial<ContainerState> = {},
): ContainerState {
  const state = fakeState(rootPath, id, changes);
  makeStateDirectory(rootPath, id);
  writeState(state);
  return state;
}

/** A living process that is killed when the test is over. */
export async function sleeper(t: TestContext): Promise<{
  child: ChildProcess;
  identity: { pid: number; startTime: number };
  ended: Promise<string | null>;
}> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const ended = once(child, 'exit').then(([, signal]) => signal as string | null);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const identity = identify(child.pid as number);
  if (identity === undefined) throw new Error('sleep did not start');
  return { child, identity, ended };
}
