/** Commands at the same time: one at a time on a container, none in the way of another container's. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type Bundle,
  privateWorld,
  type Result,
  runtimes,
  type Session,
  session,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** Many containers can be made of it: each has a cgroup named after itself. */
function manyBundle(t: TestContext, script: string): Bundle {
  return tempBundle(t, {
    args: ['sh', '-c', script],
    rootfs: 'shared',
    config: (spec) => {
      delete spec.linux.cgroupsPath;
    },
  });
}

/** A command that is not waited for. */
async function begin(s: Session, args: readonly string[]): Promise<Result> {
  const child = s.spawn(args, { globals: JSON_LOG });
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr!.on('data', (chunk) => {
    stderr += String(chunk);
  });
  child.stdin!.end();
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.equal(signal, null, `${args}: ${signal} ${stderr}`);
  return { code: code ?? -1, stdout, stderr };
}

/** The error codes of those that failed, sorted; `ok` for the others. */
function outcomes(results: readonly Result[]): string[] {
  return results.map((result) => (result.code === 0 ? 'ok' : failureOf(result).code)).sort();
}

const AT_ONCE = 6;

function times<T>(make: (i: number) => T): T[] {
  return Array.from({ length: AT_ONCE }, (_, i) => make(i));
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('twenty containers in parallel', async (t) => {
    const s = session(t, runtime);
    const bundle = manyBundle(t, 'hostname; read -r code; exit $code');
    const runs = Array.from({ length: 20 }, async (_, i) => {
      const id = uniqueId('many');
      const child = s.spawn(['run', '--bundle', bundle.path, id], { input: `${i}\n` });
      let text = '';
      child.stdout!.on('data', (chunk) => {
        text += String(chunk);
      });
      child.stderr!.on('data', (chunk) => {
        text += String(chunk);
      });
      const [code] = (await once(child, 'close')) as [number];
      return [code, text];
    });
    assert.deepEqual(
      await Promise.all(runs),
      Array.from({ length: 20 }, (_, i) => [i, 'test\n']),
    );
  });

  it('create with one id: one succeeds', async (t) => {
    const s = session(t, runtime);
    const bundle = manyBundle(t, 'true');
    const id = uniqueId('one');
    const creates = times(() => {
      const child = s.spawn(['create', '--bundle', bundle.path, id], { globals: JSON_LOG });
      let stderr = '';
      child.stderr!.on('data', (chunk) => {
        stderr += String(chunk);
      });
      // Its pipes are closed with it, but for those that the created container keeps.
      const closed = once(child, 'close');
      return once(child, 'exit').then(async ([exit]) => {
        if (exit !== 0) await closed;
        return { code: Number(exit), stdout: '', stderr };
      });
    });
    const results = await Promise.all(creates);
    assert.deepEqual(outcomes(results), [...times(() => 'E_ID_EXISTS').slice(1), 'ok']);
    assert.equal(s.state(id).status, 'created');
  });

  it('start, kill and delete at once: each does what it does once', async (t) => {
    const s = session(t, runtime);
    const { id, output, untilPrinted } = s.create(manyBundle(t, 'echo started; exec sleep 60'));
    const starts = await Promise.all(times(() => begin(s, ['start', id])));
    assert.deepEqual(outcomes(starts), [...times(() => 'E_WRONG_STATE').slice(1), 'ok'], output());
    untilPrinted('started');
    const kills = await Promise.all(times(() => begin(s, ['kill', id, 'KILL'])));
    assert.ok(outcomes(kills).every((code) => code === 'ok' || code === 'E_NOT_RUNNING'));
    await s.waitFor(id, 'stopped');
    assert.equal(output(), 'started\n');
    const deletes = await Promise.all(times(() => begin(s, ['delete', id])));
    assert.deepEqual(outcomes(deletes), [...times(() => 'E_NOT_FOUND').slice(1), 'ok']);
  });

  it('delete --force at once: all succeed', async (t) => {
    const s = session(t, runtime);
    const { id } = s.detach(manyBundle(t, 'exec sleep 60'));
    const results = await Promise.all(times(() => begin(s, ['delete', '--force', id])));
    assert.deepEqual(
      outcomes(results),
      times(() => 'ok'),
    );
  });

  it('commands on a container that ends in this moment: done, or it doesn’t run', async (t) => {
    const s = session(t, runtime);
    const bundle = manyBundle(t, 'exec sleep 60');
    const mounts = join(temporaryFolder(t), 'mounts.json');
    writeFileSync(mounts, '[{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}]');
    const said = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const { id } = s.detach(bundle);
      const commands = [
        ['pause', id],
        ['resume', id],
        ['ps', '--format', 'json', id],
        ['events', '--stats', id],
        ['update', '--resources', mounts.replace('mounts', 'limits'), id],
        ['mounts', 'add', id, mounts],
        ['exec', '--ignore-paused', id, 'true'],
      ];
      writeFileSync(mounts.replace('mounts', 'limits'), '{"unified": {"cgroup.max.depth": "5"}}');
      const results = commands.map((args) => begin(s, args));
      results.push(begin(s, round % 2 === 0 ? ['kill', id, 'KILL'] : ['delete', '--force', id]));
      for (const [index, result] of (await Promise.all(results)).entries()) {
        if (result.code !== 0 && result.code !== 137)
          said.add(`${commands[index]?.[0]}: ${failureOf(result).msg}`);
      }
      assert.equal(s.call(['delete', '--force', id]).code, 0);
    }
    const expected =
      /: (container not running|container does not exist: .*|cannot exec in a stopped container)$|^resume: container not paused$/;
    assert.deepEqual(
      [...said].filter((message) => !expected.test(message)),
      [],
    );
  });

  it('everything at once: nothing hangs, nothing is left', async (t) => {
    const s = session(t, runtime);
    const bundle = manyBundle(t, 'exec sleep 60');
    for (let round = 0; round < 3; round++) {
      const { id } = s.create(bundle);
      const commands = [
        ['start', id],
        ['exec', id, 'true'],
        ['state', id],
        ['kill', id, 'KILL'],
        ['list'],
        ['exec', id, 'sh', '-c', 'exit 0'],
        ['delete', '--force', id],
        ['start', id],
        ['delete', id],
      ];
      for (const result of await Promise.all(commands.map((args) => begin(s, args)))) {
        if (result.code !== 0 && result.stderr !== '')
          failureOf({ ...result, stderr: lastLine(result.stderr) });
      }
      assert.equal(s.call(['delete', '--force', id]).code, 0);
    }
  });

  it('a slow hook holds nobody up, and its container can be looked at and removed', async (t) => {
    const s = session(t, runtime);
    const bundle = manyBundle(t, 'true');
    const slow = manyBundle(t, 'exec sleep 60');
    slow.config.hooks = { createRuntime: [{ path: '/bin/sleep', args: ['sleep', '20'] }] };
    slow.save();
    const id = uniqueId('slow');
    const creating = begin(s, ['create', '--bundle', slow.path, id]);
    await s.waitFor(id, 'creating');
    const began = performance.now();
    assert.equal(s.run(bundle).code, 0);
    assert.equal(s.ok(['list', '-q']), `${id}\n`);
    assert.ok(s.state(id).pid > 0);
    for (const [args, text] of [
      [['kill', id, 'KILL'], /still being created/],
      [['delete', id], /cannot delete container .* that is not stopped: creating/],
      [['exec', id, 'true'], /cannot exec in a stopped container/],
    ] as const) {
      assert.match(failureOf(s.call(args, { globals: JSON_LOG })).msg, text);
    }
    s.ok(['delete', '--force', id]);
    const created = await creating;
    assert.match(failureOf(created).msg, /createRuntime hook #0: the container’s init died while it ran/);
    assert.ok(performance.now() - began < 15_000, 'waited for the hook');
    assert.equal(s.call(['state', id]).code, 1);
  });
}

function lastLine(text: string): string {
  return `${text.trimEnd().split('\n').at(-1)}\n`;
}
