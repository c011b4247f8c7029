/** Limits and controllers on a folder of plain files that stands in for a cgroup; the kernel's own are in the VM. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../container/fixture.ts';
import { RuntsError } from '../errors.ts';
import { applyWrites } from './apply.ts';
import { enableControllers } from './enable.ts';
import type { Write } from './write.ts';

const FIELD = 'linux.resources.memory.limit';

/** A hierarchy with the cgroup /a/b, whose files are given by their paths. */
function hierarchy(t: TestContext, files: Record<string, string>): string {
  const mountpoint = temporaryDirectory(t);
  mkdirSync(`${mountpoint}/a/b`, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(`${mountpoint}/${name}`, text);
  return mountpoint;
}

const write = (file: string, value: string, more: Partial<Write> = {}): Write => ({
  file,
  value,
  field: FIELD,
  ...more,
});

const failure = (run: () => void): RuntsError => {
  try {
    run();
  } catch (error) {
    if (error instanceof RuntsError) return error;
    throw error;
  }
  throw new Error('no failure');
};

test('values go into their files', (t) => {
  const mountpoint = hierarchy(t, { 'a/b/memory.max': '', 'a/b/pids.max': '' });
  applyWrites({ mountpoint, path: '/a/b' }, [write('memory.max', '5'), write('pids.max', '7')]);
  assert.equal(readFileSync(`${mountpoint}/a/b/memory.max`, 'utf8'), '5');
  assert.equal(readFileSync(`${mountpoint}/a/b/pids.max`, 'utf8'), '7');
});

test('tolerated failures, and the file that serves instead', (t) => {
  const mountpoint = hierarchy(t, { 'a/b/io.weight': '' });
  applyWrites({ mountpoint, path: '/a/b' }, [
    write('memory.swap.max', '0', { tolerate: ['ENOENT'] }),
    write('io.bfq.weight', '500', { otherwise: { file: 'io.weight', value: '4950' } }),
  ]);
  assert.equal(readFileSync(`${mountpoint}/a/b/io.weight`, 'utf8'), '4950');
});

test('a controller that the hierarchy does not have', (t) => {
  const mountpoint = hierarchy(t, { 'cgroup.controllers': 'pids', 'a/b/cgroup.controllers': 'pids' });
  const error = failure(() => applyWrites({ mountpoint, path: '/a/b' }, [write('memory.max', '5')]));
  assert.equal(error.code, 'E_CGROUP');
  assert.equal(error.details.field, FIELD);
  assert.match(
    error.message,
    /^linux\.resources\.memory\.limit: controller memory is not available in cgroup/,
  );
  assert.match(error.message, /cgroup v1 hierarchy has it|cgroup\.controllers lacks it/);
});

test('a controller that is not enabled, and where', (t) => {
  const mountpoint = hierarchy(t, {
    'cgroup.controllers': 'memory pids',
    'cgroup.subtree_control': 'memory pids',
    'a/cgroup.subtree_control': 'pids',
    'a/b/cgroup.controllers': 'pids',
  });
  const error = failure(() => applyWrites({ mountpoint, path: '/a/b' }, [write('memory.max', '5')]));
  assert.match(error.message, new RegExp(`it is not enabled in ${mountpoint}/a/cgroup.subtree_control`));
});

test('a file that the kernel does not have, though it has the controller', (t) => {
  const mountpoint = hierarchy(t, { 'a/b/cgroup.controllers': 'memory' });
  const error = failure(() => applyWrites({ mountpoint, path: '/a/b' }, [write('memory.max', '5')]));
  assert.match(error.message, /cannot write "5" to .*memory\.max: no such file/i);
  assert.match(error.message, /this kernel does not have the file/);
  assert.equal(error.details.syscall, 'open');
  assert.equal(error.details.errno, 'ENOENT');
});

test('a failure leaves the later limits alone', (t) => {
  const mountpoint = hierarchy(t, { 'a/b/memory.max': '', 'a/b/pids.max': '' });
  const writes = [write('memory.max', '5'), write('memory.none', '6'), write('pids.max', '7')];
  failure(() => applyWrites({ mountpoint, path: '/a/b' }, writes));
  assert.equal(readFileSync(`${mountpoint}/a/b/memory.max`, 'utf8'), '5');
  assert.equal(readFileSync(`${mountpoint}/a/b/pids.max`, 'utf8'), '');
});

test('missing controllers are enabled from the top', (t) => {
  const mountpoint = hierarchy(t, {
    'cgroup.controllers': 'cpu memory',
    'cgroup.subtree_control': '',
    'a/cgroup.controllers': 'cpu memory',
    'a/cgroup.subtree_control': '',
    'a/b/cgroup.controllers': 'cpu',
  });
  enableControllers(mountpoint, '/a/b');
  assert.equal(readFileSync(`${mountpoint}/cgroup.subtree_control`, 'utf8'), '', 'nothing is missing there');
  assert.equal(readFileSync(`${mountpoint}/a/cgroup.subtree_control`, 'utf8'), '+memory');
});

test('a controller that can’t be enabled is an error only when it is needed', (t) => {
  const mountpoint = hierarchy(t, { 'cgroup.controllers': 'cpu memory', 'a/b/cgroup.controllers': '' });
  enableControllers(mountpoint, '/a/b');
  enableControllers(mountpoint, '/a/b', new Set(['pids']));
  const error = failure(() => enableControllers(mountpoint, '/a/b', new Set(['memory'])));
  assert.match(error.message, /cannot enable controller memory in .*cgroup\.subtree_control: write:/);
});
