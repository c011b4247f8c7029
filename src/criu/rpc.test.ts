/** The conversation with CRIU, which is played by the other end of the socket: all that it says is sent beforehand. */

import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { socketPair } from '../../ffi/descriptors.ts';
import { receiveDescriptors, sendDescriptors } from '../linux/socket.ts';
import { type CriuRequest, type CriuResponse, decodeRequest, encodeResponse, REQUEST } from './messages.ts';
import { CriuGone, call } from './rpc.ts';

interface Peer {
  socket: number;
  says(response: CriuResponse, fds?: number[]): void;
  /** Ends what it says; what it was told stays readable. */
  goes(): void;
  heard(): CriuRequest;
}

function peer(t: TestContext): Peer {
  const [socket, theirs] = socketPair();
  let open = true;
  const goes = (): void => {
    if (open) closeSync(theirs);
    open = false;
  };
  t.after(() => {
    closeSync(socket);
    goes();
  });
  return {
    socket,
    goes,
    says: (response, fds = []) => sendDescriptors(theirs, encodeResponse(response), fds),
    heard: () => decodeRequest(receiveDescriptors(theirs).data),
  };
}

const notify = (script: string, pid?: number): CriuResponse => ({
  type: REQUEST.NOTIFY,
  success: true,
  notify: { script, ...(pid === undefined ? {} : { pid }) },
});
const DONE = { type: REQUEST.DUMP, success: true };

test('notifications are answered in order, and then the answer comes', async (t) => {
  const criu = peer(t);
  for (const script of ['pre-dump', 'network-lock', 'post-dump']) criu.says(notify(script));
  criu.says(DONE);
  const seen: string[] = [];
  const response = await call(criu.socket, { type: REQUEST.DUMP, opts: { imagesDirFd: 5 } }, ({ script }) => {
    seen.push(script);
  });
  assert.deepEqual([response, seen], [DONE, ['pre-dump', 'network-lock', 'post-dump']]);
  assert.equal(criu.heard().opts?.imagesDirFd, 5);
  for (let i = 0; i < 3; i++) assert.equal(criu.heard().notifySuccess, true);
});

test('what fails on the way is told to CRIU, and is the failure', async (t) => {
  const criu = peer(t);
  criu.says(notify('setup-namespaces', 7));
  criu.says(notify('network-unlock'));
  criu.says({ type: REQUEST.RESTORE, success: false });
  const failure = new Error('a hook failed');
  const answer = call(criu.socket, { type: REQUEST.RESTORE }, ({ script, pid }) => {
    if (script === 'network-unlock') return;
    assert.equal(pid, 7);
    throw failure;
  });
  await assert.rejects(answer, failure);
  criu.heard();
  assert.equal(criu.heard().notifySuccess, false);
});

test('… also when CRIU goes away at once', async (t) => {
  const criu = peer(t);
  criu.says(notify('post-restore', 7));
  const failure = new Error('no');
  await assert.rejects(
    call(criu.socket, { type: REQUEST.RESTORE }, () => {
      criu.goes();
      throw failure;
    }),
    failure,
  );
});

test('a descriptor comes with its notification, and is closed after it', async (t) => {
  const criu = peer(t);
  const file = openSync('/dev/zero', 'r');
  criu.says(notify('orphan-pts-master'), [file]);
  criu.says(DONE);
  let got = -1;
  await call(criu.socket, { type: REQUEST.RESTORE }, ({ fds }) => {
    got = fds[0]!;
    assert.equal(fstatSync(got).rdev, fstatSync(file).rdev);
  });
  assert.ok(got > 2 && got !== file);
  assert.throws(() => fstatSync(got), /EBADF/);
  closeSync(file);
});

test('an end without an answer', async (t) => {
  const early = peer(t);
  early.goes();
  await assert.rejects(call(early.socket, DONE), CriuGone);
  const criu = peer(t);
  criu.says(notify('pre-dump'));
  await assert.rejects(
    call(criu.socket, { type: REQUEST.DUMP }, () => criu.goes()),
    CriuGone,
  );
});

test('what is no message is an error, not a guess', async (t) => {
  const [socket, theirs] = socketPair();
  t.after(() => {
    closeSync(socket);
    closeSync(theirs);
  });
  sendDescriptors(theirs, new TextEncoder().encode('hello'), []);
  await assert.rejects(call(socket, DONE), /criu sent something that is no answer/);
});
