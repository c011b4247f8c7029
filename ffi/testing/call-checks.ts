/**
 * Checks of the system calls that this process makes.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { RuntsError } from '../../src/errors.ts';
import { connectUnix, receiveDescriptors, sendDescriptors, socketAddress } from '../../src/linux/socket.ts';
import { AF, F, F_SEAL, O, PR, RLIMIT, SOCK, TIOC } from '../constants/index.ts';
import {
  addSeals,
  closeOnExecFrom,
  duplicate,
  lockFile,
  memfdCreate,
  POLL,
  pipe,
  poll,
  setCloseOnExec,
  socketPair,
} from '../descriptors.ts';
import { failedWith, syscall, trySyscall } from '../local.ts';
import { becomeSubreaper, pidfdOpen, pidfdSendSignal, resourceLimit } from '../processes.ts';
import { attributes, setAttributes, setRaw, setWindowSize, windowSize } from '../terminal.ts';
import type { Check } from './check.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const isCloseOnExec = (fd: number): boolean => syscall('fcntl', [fd, F.GETFD, 0]) === 1;

/** The number that the next descriptor gets, which rises when some are left open. */
function nextDescriptor(): number {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  return fd;
}

export const CALL_CHECKS: readonly Check[] = [
  ['a call returns its result', () => assert.equal(syscall('getpid', []), process.pid)],

  [
    'a failure names the call, its arguments and the errno',
    () => {
      const failure = (): number => syscall('openat', [-100, '/nonexistent', O.RDONLY | O.CLOEXEC, 0]);
      assert.throws(failure, (error) => {
        assert.ok(error instanceof RuntsError);
        assert.equal(error.code, 'E_SYSCALL');
        assert.equal(error.details.syscall, 'openat');
        assert.equal(error.details.errno, 'ENOENT');
        assert.equal(
          error.message,
          'openat(AT_FDCWD, "/nonexistent", O_RDONLY|O_CLOEXEC, 0): no such file or directory (ENOENT)',
        );
        assert.ok(failedWith(error, 'EPERM', 'ENOENT') && !failedWith(error, 'EPERM'));
        return true;
      });
    },
  ],

  [
    'the context of a failure comes before the call, the remedy after it',
    () => {
      const context = { field: 'root.path', what: 'cannot read', hint: { EBADF: 'open it' } };
      assert.throws(() => syscall('read', [-1, new Uint8Array(8), 8], context), {
        message: 'root.path: cannot read: read(-1, [8 bytes], 8): bad file descriptor (EBADF) (open it)',
      });
    },
  ],

  ['a tolerated failure is the negative errno', () => assert.equal(trySyscall('close', [-1]), -9)],

  [
    'a string with a NUL byte is refused, not cut',
    () => assert.throws(() => syscall('openat', [-100, '/etc\0/passwd', 0, 0]), /contains a NUL byte/),
  ],

  [
    'numbers beyond 32 bits, negative and bigint ones arrive as they are',
    () => {
      const fd = memfdCreate('numbers');
      assert.equal(syscall('lseek', [fd, 5_000_000_000, 0]), 5_000_000_000);
      assert.equal(syscall('lseek', [fd, -1, 1]), 4_999_999_999);
      assert.equal(syscall('lseek', [fd, 7_000_000_000n, 0]), 7_000_000_000);
      closeSync(fd);
    },
  ],

  [
    'UTF-8 paths, as strings and as bytes',
    () => {
      const folder = mkdtempSync(`${tmpdir()}/runts-ü-`);
      const name = bytes(`${folder}/\0`);
      for (const path of [folder, name]) closeSync(syscall('openat', [-100, path, O.PATH | O.CLOEXEC, 0]));
      rmSync(folder, { recursive: true });
    },
  ],

  [
    'a sealed memfd can not be changed',
    () => {
      const fd = memfdCreate('sealed');
      writeSync(fd, 'content');
      const seals = F_SEAL.SEAL | F_SEAL.SHRINK | F_SEAL.GROW | F_SEAL.WRITE;
      addSeals(fd, seals);
      assert.equal(syscall('fcntl', [fd, F.GET_SEALS, 0]) & seals, seals);
      assert.throws(() => writeSync(fd, 'x'), { code: 'EPERM' });
      const again = openSync(`/proc/self/fd/${fd}`, 'r+');
      assert.throws(() => writeSync(again, 'x'), { code: 'EPERM' });
      closeSync(again);
      assert.throws(
        () => addSeals(fd, F_SEAL.FUTURE_WRITE),
        /fcntl\(\d+, F_ADD_SEALS, F_SEAL_FUTURE_WRITE\).*EPERM/,
      );
      assert.ok(isCloseOnExec(fd));
      closeSync(fd);
    },
  ],

  [
    'a socket pair keeps message boundaries and shows the end',
    () => {
      const [left, right] = socketPair();
      assert.ok(isCloseOnExec(left) && isCloseOnExec(right));
      writeSync(left, 'one');
      writeSync(left, 'two');
      closeSync(left);
      const buffer = new Uint8Array(16);
      assert.deepEqual(
        [readSync(right, buffer), readSync(right, buffer), readSync(right, buffer)],
        [3, 3, 0],
      );
      closeSync(right);
    },
  ],

  [
    'descriptors travel through a socket',
    () => {
      for (const type of [SOCK.SEQPACKET, SOCK.STREAM, SOCK.DGRAM]) {
        const [left, right] = socketPair(type);
        const [reader, writer] = pipe();
        sendDescriptors(left, bytes('two ends'), [reader, writer]);
        const { data, fds } = receiveDescriptors(right, 100, 2);
        assert.equal(new TextDecoder().decode(data), 'two ends');
        assert.equal(fds.length, 2);
        assert.ok(fds.every(isCloseOnExec));
        writeSync(fds[1]!, 'through');
        assert.equal(readSync(reader, new Uint8Array(16)), 7);
        for (const fd of [reader, writer, ...fds]) closeSync(fd);
        sendDescriptors(left, bytes('none'), []);
        assert.deepEqual(receiveDescriptors(right).fds, []);
        closeSync(left);
        if (type !== SOCK.DGRAM) assert.equal(receiveDescriptors(right).data.length, 0);
        closeSync(right);
      }
    },
  ],

  [
    'a message that is too long is refused and its descriptors are closed',
    () => {
      const [left, right] = socketPair();
      sendDescriptors(left, bytes('long text'), [left]);
      const before = nextDescriptor();
      assert.throws(() => receiveDescriptors(right, 4), /more data or descriptors/);
      sendDescriptors(left, bytes('x'), [left, left, left]);
      assert.throws(() => receiveDescriptors(right, 4, 2), /more data or descriptors/);
      assert.equal(nextDescriptor(), before);
      closeSync(left);
      assert.throws(
        () => sendDescriptors(right, bytes('x'), [], 'cannot send'),
        /^RuntsError: cannot send: sendmsg\(.*EPIPE/,
      );
      closeSync(right);
    },
  ],

  ['a connection to a socket with a short and with a long path', connects],

  [
    'a process is signalled through its pidfd, and only while it lives',
    () => {
      const fd = pidfdOpen(process.pid)!;
      assert.ok(isCloseOnExec(fd));
      assert.ok(pidfdSendSignal(fd, 0));
      assert.throws(() => pidfdSendSignal(fd, 4711), /pidfd_send_signal\(.*EINVAL/);
      closeSync(fd);
      assert.equal(pidfdOpen(0x3fffff), undefined);
    },
  ],

  [
    'poll says which descriptors are ready, and gives up after the timeout',
    () => {
      const [reader, writer] = pipe();
      const fds = [
        { fd: reader, events: POLL.IN },
        { fd: writer, events: POLL.OUT },
      ];
      assert.deepEqual(poll(fds), [0, POLL.OUT]);
      const before = performance.now();
      assert.deepEqual(poll(fds.slice(0, 1), 30), [0]);
      const elapsed = performance.now() - before;
      assert.ok(elapsed >= 29 && elapsed < 1000, `${elapsed} ms`);
      writeSync(writer, 'x');
      assert.deepEqual(poll(fds, 0), [POLL.IN, POLL.OUT]);
      closeSync(writer);
      assert.deepEqual(poll(fds.slice(0, 1)), [POLL.IN | POLL.HUP]);
      closeSync(reader);
      assert.deepEqual(poll([{ fd: 999_999, events: POLL.IN }]), [POLL.NVAL]);
    },
  ],

  [
    'copies and close-on-exec',
    () => {
      const fd = duplicate(1, 100);
      assert.ok(fd >= 100 && isCloseOnExec(fd));
      setCloseOnExec(fd, false);
      assert.ok(!isCloseOnExec(fd));
      closeOnExecFrom(100);
      assert.ok(isCloseOnExec(fd));
      closeSync(fd);
    },
  ],

  [
    'one lock at a time on a file',
    () => {
      const folder = mkdtempSync(`${tmpdir()}/runts-lock-`);
      const [first, second] = [openSync(folder, 'r'), openSync(folder, 'r')];
      lockFile(first);
      assert.equal(trySyscall('flock', [second, 2 | 4]), -11);
      closeSync(first);
      lockFile(second);
      closeSync(second);
      rmSync(folder, { recursive: true });
    },
  ],

  [
    'limits are read and set',
    () => {
      const before = resourceLimit(0, RLIMIT.CORE);
      assert.deepEqual(resourceLimit(0, RLIMIT.CORE, { soft: 0n, hard: before.hard }), before);
      assert.deepEqual(resourceLimit(process.pid, RLIMIT.CORE), { soft: 0n, hard: before.hard });
      assert.equal(resourceLimit(0, RLIMIT.FSIZE).hard, -1n);
      assert.throws(
        () => resourceLimit(0, RLIMIT.NOFILE, { soft: 2n, hard: 1n }),
        /prlimit64\(0, RLIMIT_NOFILE.*EINVAL/,
      );
    },
  ],

  [
    'the subreaper flag',
    () => {
      const flag = new Int32Array(1);
      becomeSubreaper();
      syscall('prctl', [PR.GET_CHILD_SUBREAPER, flag, 0, 0, 0]);
      assert.equal(flag[0], 1);
      syscall('prctl', [PR.SET_CHILD_SUBREAPER, 0, 0, 0, 0]);
    },
  ],

  ['the size and the mode of a terminal', terminal],
];

function connects(): void {
  const folder = mkdtempSync(`${tmpdir()}/runts-socket-`);
  const directory = openSync(folder, 'r');
  try {
    for (const name of ['s', 'n'.repeat(80)]) {
      const server = syscall('socket', [AF.UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0]);
      // By the folder's descriptor, because what is connected to may be longer than what can be listened on.
      const address = socketAddress(`/proc/self/fd/${directory}/${name}`);
      syscall('bind', [server, address, address.length]);
      syscall('listen', [server, 1]);
      const fd = connectUnix(`${folder}/${name}`);
      assert.ok(isCloseOnExec(fd));
      writeSync(fd, name);
      const peer = syscall('accept4', [server, null, null, SOCK.CLOEXEC]);
      const buffer = new Uint8Array(128);
      assert.equal(new TextDecoder().decode(buffer.subarray(0, readSync(peer, buffer))), name);
      for (const used of [fd, peer, server]) closeSync(used);
    }
    const nothing = `${folder}/nothing`;
    assert.throws(() => connectUnix(nothing), /^RuntsError: cannot connect to .*nothing: connect\(.*ENOENT/);
    assert.throws(
      () => connectUnix(`${folder}/${'x'.repeat(200)}`, 'no console'),
      /^RuntsError: no console: openat\(.*ENOENT/,
    );
    assert.throws(() => connectUnix(`${folder}\0/s`), /NUL/);
  } finally {
    closeSync(directory);
    rmSync(folder, { recursive: true });
  }
}

function terminal(): void {
  const master = openSync('/dev/ptmx', O.RDWR | O.NOCTTY);
  syscall('ioctl', [master, TIOC.SPTLCK, new Int32Array(1)]);
  const peer = syscall('ioctl', [master, TIOC.GPTPEER, O.RDWR | O.NOCTTY | O.CLOEXEC]);
  setWindowSize(master, { rows: 50, columns: 132 });
  assert.deepEqual(windowSize(peer), { rows: 50, columns: 132 });
  const before = setRaw(peer);
  assert.notDeepEqual(attributes(peer), before);
  const buffer = new Uint8Array(16);
  writeSync(master, '\r\x03');
  assert.equal(readSync(peer, buffer), 2);
  assert.deepEqual([...buffer.subarray(0, 2)], [13, 3]);
  writeSync(peer, '\n');
  assert.equal(readSync(master, buffer), 1);
  setAttributes(peer, before);
  assert.deepEqual(attributes(peer), before);
  writeSync(peer, '\n');
  assert.equal(readSync(master, buffer), 2);
  for (const fd of [peer, master]) closeSync(fd);
  const [reader, writer] = pipe();
  assert.throws(() => windowSize(reader), /ioctl\(\d+, TIOCGWINSZ, .*ENOTTY/);
  closeSync(reader);
  closeSync(writer);
}
