import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntsError } from '../errors.ts';
import { cgroupPath } from './path.ts';

const cases: [path: string | undefined, own: string, expected: string][] = [
  // absolute: from the root of the hierarchy, wherever the runtime is
  ['/docker/abc', '/', '/docker/abc'],
  ['/docker/abc', '/user.slice/s.scope', '/docker/abc'],
  ['//a///b/./c/', '/x', '/a/b/c'],
  ['/a/../b', '/x', '/b'],
  // relative: beside the runtime's own cgroup
  ['foo/bar', '/', '/foo/bar'],
  ['foo/bar', '/own', '/foo/bar'],
  ['foo/bar', '/user.slice/s.scope', '/user.slice/foo/bar'],
  ['./foo', '/a/b', '/a/foo'],
  // absent: the id
  [undefined, '/', '/c1'],
  ['', '/', '/c1'],
  [undefined, '/user.slice/s.scope', '/user.slice/c1'],
  // the form for systemd is a name to the cgroupfs manager
  ['system.slice:runts:c1', '/', '/system.slice:runts:c1'],
  ['...', '/', '/...'],
];

for (const [path, own, expected] of cases) {
  test(`${JSON.stringify(path)} from ${own} is ${expected}`, () => {
    assert.equal(cgroupPath(path, 'c1', own), expected);
  });
}

test('a path that leaves its start, or names no cgroup of its own, is refused with the field', () => {
  const bad = ['/', '.', '/.', 'a/..', '..', '../x', '/..', '/../x', 'a/../../b', 'a\0b', 'a\nb'];
  for (const path of [...bad, `/${'x'.repeat(256)}`]) {
    assert.throws(
      () => cgroupPath(path, 'c1', '/own'),
      (error: unknown) =>
        error instanceof RuntsError &&
        error.code === 'E_CGROUP' &&
        error.details.field === 'linux.cgroupsPath' &&
        error.message.startsWith('linux.cgroupsPath: '),
      path,
    );
  }
});

test('a relative path needs to see where the runtime is', () => {
  assert.throws(() => cgroupPath('x', 'c1', '/../other'), /outside of its cgroup namespace .*absolute path/);
  assert.equal(cgroupPath('/x', 'c1', '/../other'), '/x');
});
