/**
 * What the tests of checkpoint and restore share: containers that count, and why there is no CRIU here.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Bundle,
  findCommand,
  isRoot,
  privateWorld,
  type Runtime,
  runtimes,
  type Session,
  session,
  type TestSpec,
  tempBundle,
  temporaryFolder,
} from '../harness/index.ts';

const VM =
  'in the VM: conformance/vm/run --package criu --package iptables --package iproute2 --env TMPDIR=/scratch --timeout 1800 -- node --import tsx --test test/vm/checkpoint*.test.ts';

/** Why nothing can be saved here; false when it can. */
export function criuSkip(): string | false {
  if (!isRoot) return 'needs root';
  const criu = findCommand('criu');
  if (criu === undefined) return `needs criu; ${VM}`;
  // It takes seconds in the VM, and was asked before the file's world was made.
  if (process.env.RUNTS_TEST_WORLD !== undefined) return false;
  const { status, stdout, stderr } = spawnSync(criu, ['check'], { encoding: 'utf8' });
  if (status === 0) return false;
  const why = /Error.*/.exec(stderr + stdout)?.[0] ?? 'fails';
  return `criu check: ${why}; ${VM}`;
}

/** What a file of tests of one runtime is made of: they are skipped where nothing can be saved. */
export function checkpointTests(): {
  runtime: Runtime;
  it: (name: string, body: (t: TestContext) => void | Promise<void>) => void;
} {
  const skip = criuSkip() || privateWorld({ cgroups: 'v2' }).skip;
  const [runtime] = (skip ? [{ name: 'runts', command: [] }] : runtimes()) as [Runtime];
  return { runtime, it: (name, body) => void test(name, { skip }, body) };
}

/** Counts in /tmp/count. */
export const COUNT =
  'i=0; while :; do i=$((i+1)); echo $i >/tmp/new; mv /tmp/new /tmp/count; sleep 0.1; done';

/** A container in the host's network, whose own would have to be saved too, that runs a script. */
export function counter(
  t: TestContext,
  options: { script?: string; config?: (spec: TestSpec) => void; network?: boolean } = {},
): Bundle {
  return tempBundle(t, {
    args: ['sh', '-c', options.script ?? COUNT],
    config: (spec) => {
      if (options.network !== true) {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network');
      }
      options.config?.(spec);
    },
  });
}

export function countOf({ rootfs }: Bundle, file = 'count'): number {
  try {
    return Number(readFileSync(join(rootfs, 'tmp', file), 'utf8'));
  } catch {
    return 0;
  }
}

/** Waits until a container has counted beyond a number, and gives where it is. */
export async function countsBeyond(bundle: Bundle, than: number, file = 'count'): Promise<number> {
  let now = 0;
  for (let i = 0; i < 300; i++) {
    now = countOf(bundle, file);
    if (now > than) return now;
    await delay(100);
  }
  assert.fail(`it counts no further than ${now}, not beyond ${than}`);
}

/** A container that was saved. */
export interface Saved {
  s: Session;
  id: string;
  images: string;
  /** Where it was. */
  count: number;
}

/** Starts a container that counts, and saves it when it has counted a little. */
export async function save(
  t: TestContext,
  runtime: Runtime,
  bundle: Bundle,
  flags: readonly string[] = [],
): Promise<Saved> {
  const s = session(t, runtime);
  const { id, code, output } = s.detach(bundle);
  assert.equal(code, 0, output());
  await countsBeyond(bundle, 2);
  const images = join(temporaryFolder(t), 'images');
  s.ok(['checkpoint', '--image-path', images, ...flags, id]);
  return { s, id, images, count: countOf(bundle) };
}

/** Restores it, and waits until it has counted on. */
export async function goesOn(
  { s, id, images, count }: Saved,
  bundle: Bundle,
  flags: readonly string[] = [],
): Promise<void> {
  const { code, output } = s.restore(bundle, { id, flags: ['--image-path', images, ...flags] });
  assert.equal(code, 0, `${output()}\n${restoreLog(images)}`);
  assert.equal(s.state(id).status, 'running');
  await countsBeyond(bundle, count);
}

function restoreLog(images: string): string {
  try {
    const log = readFileSync(join(images, 'restore.log'), 'utf8');
    return log.split('\n').slice(-20).join('\n');
  } catch {
    return '';
  }
}

/** A program of the host, with its libraries: busybox has no flock. */
export function copyProgram(name: string, rootfs: string): void {
  const copy = `file=$(command -v "$0"); for f in $file $(ldd "$file" | grep -o '/[^ ]*'); do
    mkdir -p "$1$(dirname $f)"; cp -L $f "$1$f"; done`;
  assert.equal(spawnSync('sh', ['-c', copy, name, rootfs]).status, 0);
}
