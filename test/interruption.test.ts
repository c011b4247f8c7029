/** A signal while a container is made: nothing is left, and nothing hangs. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Bundle,
  privateWorld,
  runtimes,
  SLOWNESS,
  session,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';

const { skip } = privateWorld();

const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** A container with a hook that says that it runs, and then does more. */
function bundleWithHook(
  t: TestContext,
  phase: 'prestart' | 'createContainer' | 'poststart',
  more: string,
  command = 'echo container',
): { bundle: Bundle; reached: () => Promise<void> } {
  const mark = join(temporaryFolder(t), 'mark');
  const bundle = tempBundle(t, {
    args: ['sh', '-c', command],
    config: (spec) => {
      const text = `echo reached >> ${mark}; ${more}`;
      spec.hooks = { [phase]: [{ path: '/bin/sh', args: ['sh', '-c', text], env: ['PATH=/bin:/usr/bin'] }] };
      spec.mounts.push({ destination: mark, type: 'none', source: mark, options: ['bind'] });
    },
  });
  writeFileSync(mark, '');
  const reached = async (): Promise<void> => {
    for (let i = 0; i < 500 * SLOWNESS && readFileSync(mark, 'utf8') === ''; i++) await delay(10);
    assert.equal(readFileSync(mark, 'utf8'), 'reached\n');
  };
  return { bundle, reached };
}

/** In /proc/PID/status, or in a message: no signal blocked, ignored or caught. */
const QUIET = /SigBlk:(?:\\t|\t)0{16}(?:\\n|\n)SigIgn:(?:\\t|\t)0{16}(?:\\n|\n)SigCgt:(?:\\t|\t)0{16}/;

for (const runtime of runtimes()) {
  for (const command of [['run'], ['run', '--detach'], ['create']]) {
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
      test(`${runtime.name}: ${signal} to ${command.join(' ')} ends a hook that hangs, and the container`, {
        skip,
      }, async (t) => {
        const s = session(t, runtime);
        const { bundle, reached } = bundleWithHook(t, 'prestart', 'sleep 1000');
        const id = uniqueId();
        const child = s.spawn([...command, '--bundle', bundle.path, id]);
        let text = '';
        for (const stream of [child.stdout!, child.stderr!])
          stream.on('data', (chunk) => {
            text += String(chunk);
          });
        await reached();
        child.kill(signal);
        assert.deepEqual(await once(child, 'close'), [128 + NUMBERS[signal], null], text);
        assert.match(text, new RegExp(`interrupted by ${signal}: no container was made`));
        assert.equal(existsSync(join(s.root, id)), false);
        // The end of the session looks for what is left of it anywhere. The id is free.
        bundle.config.hooks = {};
        bundle.save();
        assert.equal(s.run(bundle, { id }).stdout, 'container\n');
      });
    }
  }

  test(`${runtime.name}: a signal to run --detach during its last hooks`, { skip }, async (t) => {
    const s = session(t, runtime);
    const { bundle, reached } = bundleWithHook(t, 'poststart', 'sleep 1000', 'sleep 1000');
    const id = uniqueId();
    const child = s.spawn(['run', '--detach', '--bundle', bundle.path, id]);
    await reached();
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [143, null]);
    assert.equal(existsSync(join(s.root, id)), false);
  });

  test(`${runtime.name}: what else comes while the container is made is its command's`, {
    skip,
  }, async (t) => {
    const s = session(t, runtime);
    const { bundle, reached } = bundleWithHook(t, 'createContainer', 'sleep 1', 'sleep 1000');
    // In the host's pid namespace a signal without a handler is not dropped.
    bundle.config.linux.namespaces = bundle.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    bundle.save();
    const child = s.spawn(['run', '--bundle', bundle.path, uniqueId()]);
    await reached();
    child.kill('SIGUSR1');
    assert.deepEqual(await once(child, 'exit'), [128 + 10, null]);
  });

  test(`${runtime.name}: a signal at any time leaves a container or nothing`, { skip }, async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '1000'], rootfs: 'shared' });
    const startsIn = runtime.name.includes('Node') ? 100 : 0;
    for (let ms = 0; ms < 15; ms++) {
      const id = uniqueId();
      const child = s.spawn(['create', '--bundle', bundle.path, id], { input: '' });
      let text = '';
      child.stderr!.on('data', (chunk) => {
        text += String(chunk);
      });
      // Not its streams' end: a container that was made has them open.
      const ended = once(child, 'exit');
      await Promise.race([ended, delay(startsIn + ms * (startsIn === 0 ? 1 : 10))]);
      child.kill('SIGTERM');
      const [code, signal] = (await ended) as [number | null, string | null];
      if (code === 0) {
        assert.equal(s.state(id).status, 'created');
        s.ok(['delete', '--force', id]);
      } else {
        assert.ok(code === 143 || signal === 'SIGTERM', `after ${ms}: ${code} ${signal} ${text}`);
        assert.equal(existsSync(join(s.root, id)), false, `after ${ms}`);
      }
    }
  });

  test(`${runtime.name}: hooks and the container have the caller's signals`, { skip }, (t) => {
    const { bundle } = bundleWithHook(t, 'prestart', 'cat /proc/self/status >&2; exit 1', 'true');
    const inHook = session(t, runtime).run(bundle).stderr;
    assert.match(inHook, QUIET);
    bundle.config.hooks = {};
    bundle.config.process.args = ['cat', '/proc/self/status'];
    bundle.save();
    const { stdout } = session(t, runtime).run(bundle);
    assert.match(stdout, QUIET);
  });
}
