import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Spec } from '../spec/types.ts';
import { passedOn } from './notify.ts';
import { listenFds, withService } from './service.ts';

const SPEC: Spec = {
  ociVersion: '1.3.0',
  process: { args: ['sh'], cwd: '/', env: ['A=1'], user: { uid: 0, gid: 0 } },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
};

test('without a service manager the config stays as it is', () => {
  assert.equal(withService(SPEC, {}, '/state/c/notify'), SPEC);
  assert.equal(withService(SPEC, { NOTIFY_SOCKET: '', LISTEN_FDS: '0' }, '/state/c/notify'), SPEC);
});

test('the container gets a socket of its own for sd_notify, and what the caller listens on', () => {
  const env = {
    NOTIFY_SOCKET: '/run/host.sock',
    LISTEN_FDS: '2',
    LISTEN_PID: String(process.pid),
    LISTEN_FDNAMES: 'a:b',
  };
  const spec = withService(SPEC, env, '/state/c/notify');
  assert.deepEqual(spec.process?.env, [
    'A=1',
    'NOTIFY_SOCKET=/run/notify/notify.sock',
    'LISTEN_FDS=2',
    'LISTEN_PID=1',
    'LISTEN_FDNAMES=a:b',
  ]);
  assert.deepEqual(spec.mounts?.at(-1), {
    destination: '/run/notify',
    type: 'bind',
    source: '/state/c/notify',
    options: ['bind', 'nosuid', 'noexec', 'nodev', 'ro'],
  });
  assert.equal(SPEC.mounts?.length, 1);
});

for (const [env, count] of [
  [{}, 0],
  [{ LISTEN_FDS: '3' }, 3],
  [{ LISTEN_FDS: '3', LISTEN_PID: '42' }, 3],
  [{ LISTEN_FDS: '3', LISTEN_PID: '43' }, 0],
  [{ LISTEN_FDS: '-1' }, 0],
  [{ LISTEN_FDS: '3x' }, 0],
] as const) {
  test(`of ${JSON.stringify(env)} process 42 gets ${count} descriptors`, () =>
    assert.equal(listenFds(env, 42), count));
}

test('a container speaks for itself and not for the runtime', () => {
  const message =
    'READY=1\nSTATUS=up: MAINPID=1\nMAINPID=1\nFDSTORE=1\nBARRIER=1\nWATCHDOG=1\nnonsense\nX_READY=1';
  assert.deepEqual(passedOn(message), ['READY=1', 'STATUS=up: MAINPID=1', 'WATCHDOG=1']);
});
