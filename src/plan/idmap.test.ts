import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMappings } from './idmap.ts';

const CONTAINER = {
  uid: [{ containerID: 0, hostID: 100_000, size: 65536 }],
  gid: [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 200_000, size: 10 },
  ],
};

test('crun’s text', () => {
  assert.deepEqual(parseMappings('uids=0-1-10#10-11-10;gids=0-100-10', CONTAINER, 'f'), {
    uid: [
      { containerID: 0, hostID: 1, size: 10 },
      { containerID: 10, hostID: 11, size: 10 },
    ],
    gid: [{ containerID: 0, hostID: 100, size: 10 }],
  });
  assert.deepEqual(parseMappings('gids=@0-1-2;uids=0-@5-3', CONTAINER, 'f'), {
    uid: [{ containerID: 0, hostID: 100_005, size: 3 }],
    gid: [{ containerID: 0, hostID: 200_000, size: 2 }],
  });
});

test('anything else is refused', () => {
  for (const text of [
    '',
    'uids=0-1-1',
    'uids=0-1-1;uids=0-1-1;gids=0-1-1',
    'uids=;gids=0-1-1',
    'uids=0-1;gids=0-1-1',
    'uids=0-1-0;gids=0-1-1',
    'uids=0-1--1;gids=0-1-1',
    'uids=0x0-1-1;gids=0-1-1',
    'uids=0-1-1 ;gids=0-1-1',
    'uids=0-4294967295-1;gids=0-1-1',
    'uids=@0-65530-10;gids=0-1-1',
    'uids=0-1-1;gids=@0-0-2',
    'pids=0-1-1;gids=0-1-1',
  ]) {
    assert.throws(() => parseMappings(text, CONTAINER, 'mounts[0].options'), {
      code: 'E_CONFIG_INVALID',
      message: /^mounts\[0\]\.options: idmap=/,
    });
  }
});
