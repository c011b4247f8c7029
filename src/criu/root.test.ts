import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Op, Program } from '../../ffi/program.ts';
import { assemble } from '../../ffi/tape.ts';
import { planRestoreRoot } from './root.ts';

function planned(mounts: Parameters<typeof planRestoreRoot>[1]['mounts']): Program {
  const program = new Program();
  const root = planRestoreRoot(program, {
    rootfs: '/srv/rootfs',
    bundle: '/srv',
    mounts,
    place: '/run/x/criu-root',
  });
  program.call('exit_group', [0]);
  root.finish();
  return program;
}

const calls = (program: Program, name: string): Op[] =>
  program.ops.filter((op) => op.kind === 'syscall' && op.name === name);

test('the root is mounted in a namespace of its own, and anew when the mount points are made', () => {
  const program = planned([]);
  const names = program.ops.map((op) => (op.kind === 'syscall' ? op.name : op.kind));
  assert.deepEqual(names, [
    'unshare',
    'mount',
    ...['open_tree', 'move_mount', 'close', 'umount2'],
    ...['open_tree', 'move_mount', 'close'],
    'exit_group',
  ]);
});

test('mount points are made for all that CRIU mounts, but in what it mounts itself', () => {
  const program = planned([
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts' },
    { destination: '/dev/file', type: 'bind', source: '/file' },
    { destination: '/data', type: 'bind', source: 'own' },
    { destination: '/data/sub', type: 'tmpfs', source: 'tmpfs' },
    { destination: '/', type: 'bind', source: '/srv/rootfs' },
  ]);
  const fields = new Set(program.ops.map(({ field }) => field));
  assert.deepEqual(
    [...fields].filter((field) => field?.startsWith('mounts[')),
    ['mounts[0]', 'mounts[1]', 'mounts[4].source', 'mounts[4]', 'mounts[5]'],
  );
  // The bind is there while the mount point below it is made.
  const sources = calls(program, 'open_tree').map((op) => ('args' in op ? op.args[1] : undefined));
  assert.deepEqual(sources, ['/srv/rootfs', '/srv/own', '/srv/rootfs']);
});

test('it is a program', () => {
  const program = planned([{ destination: '/data', type: 'bind', source: '/srv/data' }]);
  for (const machine of ['x64', 'arm64'] as const)
    assert.doesNotThrow(() => assemble(program, { machine, fds: {}, reportFd: 3 }));
});
