import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { sleeper, temporaryDirectory } from '../container/fixture.ts';
import { RuntsError } from '../errors.ts';
import { killEach } from './kill.ts';
import { processesIn, subtree } from './processes.ts';
import { removeCgroup } from './remove.ts';

test('a tree goes from its leaves to its root', (t) => {
  const root = temporaryDirectory(t);
  mkdirSync(`${root}/c/a/b`, { recursive: true });
  mkdirSync(`${root}/c/d`);
  const order = subtree(`${root}/c`);
  assert.equal(order.length, 4);
  assert.ok(order.indexOf(`${root}/c/a/b`) < order.indexOf(`${root}/c/a`));
  assert.equal(order.at(-1), `${root}/c`);
  removeCgroup(`${root}/c`);
  assert.equal(existsSync(`${root}/c`), false);
});

test('a cgroup that is gone is fine', (t) => {
  const root = temporaryDirectory(t);
  removeCgroup(`${root}/c`);
  assert.deepEqual(subtree(`${root}/c`), []);
  assert.deepEqual(processesIn(`${root}/c`), []);
});

test('a very deep tree', (t) => {
  const root = temporaryDirectory(t);
  const deep = `${root}/c${'/x'.repeat(1000)}`;
  mkdirSync(deep, { recursive: true });
  removeCgroup(`${root}/c`);
  assert.equal(existsSync(`${root}/c`), false);
});

test('a cgroup in use is waited for, up to the limit', (t) => {
  const root = temporaryDirectory(t);
  mkdirSync(`${root}/c`);
  writeFileSync(`${root}/c/cgroup.events`, 'populated 1\nfrozen 0\n');
  writeFileSync(`${root}/c/cgroup.procs`, '77\n');
  const start = performance.now();
  assert.throws(
    () => removeCgroup(`${root}/c`, 100),
    (error: unknown) =>
      error instanceof RuntsError && /processes 77 are still in it after 0\.1 s/.test(error.message),
  );
  assert.ok(performance.now() - start < 2000);
});

test('a cgroup that becomes empty while waited for is removed', async (t) => {
  const root = temporaryDirectory(t);
  mkdirSync(`${root}/c`);
  writeFileSync(`${root}/c/cgroup.events`, 'populated 1\n');
  const emptier = spawn('sh', ['-c', 'sleep 0.1; echo; rm "$1"/cgroup.events', 'sh', `${root}/c`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(emptier, 'spawn');
  removeCgroup(`${root}/c`, 5000);
  assert.equal(existsSync(`${root}/c`), false);
});

test('without cgroup.kill every listed process is killed, and the cgroup thawed', async (t) => {
  const root = temporaryDirectory(t);
  const [one, two] = [await sleeper(t), await sleeper(t)];
  mkdirSync(`${root}/c/sub`, { recursive: true });
  writeFileSync(`${root}/c/cgroup.procs`, `${one.identity.pid}\n4194305\n`);
  writeFileSync(`${root}/c/sub/cgroup.procs`, `${two.identity.pid}\n`);
  writeFileSync(`${root}/c/cgroup.freeze`, '1');
  killEach(`${root}/c`);
  assert.deepEqual(await Promise.all([one.ended, two.ended]), ['SIGKILL', 'SIGKILL']);
  assert.equal(readFileSync(`${root}/c/cgroup.freeze`, 'utf8'), '0');
});
