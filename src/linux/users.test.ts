import assert from 'node:assert/strict';
import { test } from 'node:test';
import { homeOf, hostUsers, parseGroup, parsePasswd, userName, userNames } from './users.ts';

const PASSWD = `# comment
root:x:0:0:root:/root:/bin/sh
toor:x:0:0::/elsewhere:/bin/csh

user:x:1000:100:A User,,,:/home/user:/bin/bash
homeless:x:1001:100:::
short:x:1002
bad:x:0x3e9:0::/bad:
negative:x:-1:0::/negative:
octal:x:007:7::/seven:
largest:x:4294967294:4294967294::/largest:
none:x:4294967295:0::/none:
+nis:::::
:x:5:5::/nameless:
dos:x:1003:100::/dos:/bin/sh\r
`;

test('users of a passwd file', () => {
  assert.deepEqual(
    parsePasswd(PASSWD).map(({ name }) => name),
    ['root', 'toor', 'user', 'homeless', 'octal', 'largest', 'dos'],
  );
  assert.deepEqual(parsePasswd(PASSWD)[2], {
    name: 'user',
    uid: 1000,
    gid: 100,
    home: '/home/user',
    shell: '/bin/bash',
  });
  assert.equal(parsePasswd(PASSWD).at(-1)?.shell, '/bin/sh');
  assert.deepEqual(parsePasswd(''), []);
});

test('HOME: of the first entry with the id, else /', () => {
  assert.equal(homeOf(PASSWD, 0), '/root');
  assert.equal(homeOf(PASSWD, 1000), '/home/user');
  assert.equal(homeOf(PASSWD, 7), '/seven');
  assert.equal(homeOf(PASSWD, 4294967294), '/largest');
  for (const uid of [1001, 1002, 1, 4294967295]) assert.equal(homeOf(PASSWD, uid), '/');
  assert.equal(homeOf('', 0), '/');
});

test('names of users', () => {
  assert.equal(userName(PASSWD, 0), 'root');
  assert.equal(userName(PASSWD, 4242), '#4242');
  assert.deepEqual(
    [...userNames('a:x:1:1::/:\nb:x:1:1::/:\nc:x:2:2::/:\n')],
    [
      [1, 'a'],
      [2, 'c'],
    ],
  );
});

test('groups', () => {
  assert.deepEqual(parseGroup('root:x:0:\nwheel:x:10:root,user\nbad:x:y:\n'), [
    { name: 'root', gid: 0, members: [] },
    { name: 'wheel', gid: 10, members: ['root', 'user'] },
  ]);
});

test('of this host', () => {
  assert.equal(typeof hostUsers(), 'string');
});
