/**
 * Checks of starting the executor and of reading its reports.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { INDEX_HEADER, REASON } from '../abi.ts';
import { RLIMIT } from '../constants/index.ts';
import { duplicate, pipe, setCloseOnExec, socketPair } from '../descriptors.ts';
import { failedWith, syscall } from '../local.ts';
import { resourceLimit, waitFor } from '../processes.ts';
import { addressOf, bytes } from '../program.ts';
import { readReport } from '../report.ts';
import type { HandedDescriptor } from '../spawn.ts';
import { planDescriptors, reapExecutor, spawnExecutor } from '../spawn.ts';
import type { Check } from './check.ts';
import { command, exits, makeImage, REPORT } from './images.ts';

/** Starts a command with its standard output on a pipe, and gives what it writes. */
function output(
  args: readonly string[],
  fds: readonly HandedDescriptor[] = [],
  keep: readonly number[] = [],
): string {
  const [reader, low] = pipe();
  // Out of the way of the numbers that `fds` gives out.
  const writer = duplicate(low, 200);
  closeSync(low);
  try {
    const pid = spawnExecutor({ image: command(args), fds: [...fds, { from: writer, to: 1 }], keep });
    closeSync(writer);
    const text = readFileSync(reader, 'utf8');
    assert.deepEqual(reapExecutor(pid), { pid, code: 0 });
    return text;
  } finally {
    closeSync(reader);
  }
}

/** The numbers of the descriptors that a child gets; `ls` itself adds the folder that it lists. */
function inherited(fds: readonly HandedDescriptor[], keep: readonly number[]): number[] {
  const numbers = output(['/bin/ls', '/proc/self/fd/'], fds, keep).trim().split(/\s+/).map(Number);
  return numbers.sort((a, b) => a - b);
}

export const SPAWN_CHECKS: readonly Check[] = [
  [
    'an executor runs and its exit code arrives',
    () => {
      const pid = spawnExecutor({ image: exits(42), fds: [] });
      assert.deepEqual(reapExecutor(pid), { pid, code: 42 });
      assert.equal(reapExecutor(pid), undefined);
      assert.throws(
        () => waitFor({ pid }),
        (error) => failedWith(error, 'ECHILD'),
      );
    },
  ],

  [
    'a child gets the descriptors that it is handed and no others',
    () => {
      // What a careless caller left open, beside whatever the engine has open.
      const careless = duplicate(0, 60);
      setCloseOnExec(careless, false);
      const [reader, writer] = pipe();
      const fds = [
        { from: reader, to: 40 },
        { from: writer, to: 41 },
      ];
      assert.deepEqual(
        inherited(fds, []).filter((fd) => fd > 3),
        [40, 41],
      );
      assert.deepEqual(
        inherited(fds, [careless]).filter((fd) => fd > 3),
        [40, 41, careless],
      );
      for (const fd of [careless, reader, writer]) closeSync(fd);
    },
  ],

  [
    'descriptors arrive under their numbers',
    () => {
      const [first, second] = [pipe(), pipe()];
      const plan = planDescriptors({ one: first[1], two: second[1], again: first[1] }, 0);
      assert.equal(new Set(Object.values(plan.numbers)).size, 3);
      assert.ok(Math.min(...Object.values(plan.numbers)) > second[1]);
      const script = `echo 1 >&${plan.numbers.one}; echo 2 >&${plan.numbers.two}; echo 3 >&${plan.numbers.again}`;
      // Numbers above 9 need no more than a shell that knows them; /proc/self/fd always does.
      output(['/bin/sh', '-c', script.replace(/>&(\d+)/g, '>/proc/self/fd/$1')], plan.fds);
      const buffer = new Uint8Array(16);
      assert.equal(new TextDecoder().decode(buffer.subarray(0, readSync(first[0], buffer))), '1\n3\n');
      assert.equal(new TextDecoder().decode(buffer.subarray(0, readSync(second[0], buffer))), '2\n');
      for (const fd of [...first, ...second]) closeSync(fd);
    },
  ],

  [
    'the memory file is not in the way of a descriptor',
    () => {
      const [reader, writer] = pipe();
      closeSync(reader);
      // The lowest free number is what the memory file gets.
      const pid = spawnExecutor({ image: exits(7), fds: [{ from: writer, to: reader }] });
      assert.deepEqual(reapExecutor(pid), { pid, code: 7 });
      closeSync(writer);
    },
  ],

  [
    'a descriptor that is assigned twice is refused',
    () => {
      const twice = [
        { from: 0, to: 40 },
        { from: 1, to: 40 },
      ];
      assert.throws(() => spawnExecutor({ image: exits(0), fds: twice }), /descriptor 40 .* twice/);
      const chained = [
        { from: 0, to: 40 },
        { from: 40, to: 41 },
      ];
      assert.throws(() => spawnExecutor({ image: exits(0), fds: chained }), /descriptor 40 .* twice/);
      assert.throws(() => spawnExecutor({ image: exits(0), fds: [{ from: 0, to: 5 }], keep: [5] }), /twice/);
    },
  ],

  [
    'a preserved descriptor must be open, and the engine’s own do not count',
    () =>
      assert.throws(() => planDescriptors({}, 100), {
        code: 'E_FDS',
        message: /^file descriptor \d+ is not open/,
      }),
  ],

  [
    'signals are at their defaults, none is blocked',
    () => {
      const listener = (): void => undefined;
      process.on('SIGUSR1', listener);
      const status = output(['/bin/cat', '/proc/self/status']);
      process.off('SIGUSR1', listener);
      for (const field of ['SigBlk', 'SigIgn', 'SigCgt']) {
        assert.match(status, new RegExp(`^${field}:\\t0+$`, 'm'));
      }
    },
  ],

  [
    'no environment and no arguments, but the name',
    () => {
      const [left, right] = socketPair();
      const image = makeImage((program) => {
        program.notify(1);
        const byte = program.cell('byte');
        program.call('read', [REPORT, addressOf(byte), 1]);
        program.call('exit_group', [0]);
      });
      const pid = spawnExecutor({ image, fds: [{ from: right, to: REPORT }], name: 'box-init' });
      closeSync(right);
      assert.equal(readReport(left)?.type, 'note');
      assert.equal(readFileSync(`/proc/${pid}/comm`, 'latin1'), 'box-init\n');
      // Its stack is gone.
      assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), '');
      assert.equal(readFileSync(`/proc/${pid}/environ`, 'latin1'), '');
      assert.equal(readlinkSync(`/proc/${pid}/exe`), '/memfd:box-init (deleted)');
      const exe = openSync(`/proc/${pid}/exe`, 'r');
      assert.throws(() => writeSync(exe, 'x'), /EBADF|EPERM/);
      assert.throws(() => openSync(`/proc/${pid}/exe`, 'r+'), { code: 'ETXTBSY' });
      closeSync(exe);
      writeSync(left, 'x');
      assert.deepEqual(reapExecutor(pid), { pid, code: 0 });
      closeSync(left);
    },
  ],

  [
    'what can not be executed is an error with a remedy, and leaves nothing open',
    () => {
      const before = openSync('/dev/null', 'r');
      closeSync(before);
      const garbage = new Uint8Array(100).fill(1);
      assert.throws(() => spawnExecutor({ image: garbage, fds: [] }), {
        code: 'E_SYSCALL',
        message: /^cannot start the executor: posix_spawn: exec format error \(ENOEXEC\) \(.*another machine/,
      });
      const closed = [{ from: 987, to: 40 }];
      assert.throws(() => spawnExecutor({ image: exits(0), fds: closed }), /posix_spawn.*EBADF.*ulimit -n/);
      const { hard, soft } = resourceLimit(0, RLIMIT.NOFILE);
      resourceLimit(0, RLIMIT.NOFILE, { soft: 64n, hard });
      try {
        const high = [{ from: 1, to: 70 }];
        assert.throws(() => spawnExecutor({ image: exits(0), fds: high }), /posix_spawn.*EBADF.*ulimit -n/);
      } finally {
        resourceLimit(0, RLIMIT.NOFILE, { soft, hard });
      }
      const after = openSync('/dev/null', 'r');
      closeSync(after);
      assert.equal(after, before);
    },
  ],

  [
    'notes, a failure and the end come through a socket',
    () => {
      const [left, right] = socketPair();
      const image = makeImage((program) => {
        program.notify(3, -5);
        program.notify(4, 2 ** 40, 'text', 4);
        program.call('chdir', ['/nonexistent']);
        program.call('exit_group', [0]);
      });
      const pid = spawnExecutor({ image, fds: [{ from: right, to: REPORT }] });
      closeSync(right);
      assert.deepEqual(readReport(left), { type: 'note', index: 0, tag: 3, value: -5, text: '' });
      assert.deepEqual(readReport(left), { type: 'note', index: 1, tag: 4, value: 2 ** 40, text: 'text' });
      assert.deepEqual(readReport(left), { type: 'fail', index: 2, errno: 2, text: '' });
      assert.equal(readReport(left), null);
      assert.deepEqual(reapExecutor(pid), { pid, code: 255 });
      closeSync(left);
    },
  ],

  [
    'what a peer said is read also when it died without reading what it was told',
    () => {
      const [left, right] = socketPair();
      const image = makeImage((program) => {
        // Waits for the message without taking it.
        const list = program.cell('pollfd');
        program.set(list, REPORT + 2 ** 32);
        program.call('ppoll', [addressOf(list), 1, 0, 0, 0]);
        program.notify(1);
        program.call('exit_group', [0]);
      });
      const pid = spawnExecutor({ image, fds: [{ from: right, to: REPORT }] });
      closeSync(right);
      writeSync(left, 'go');
      assert.deepEqual(reapExecutor(pid), { pid, code: 0 });
      assert.equal(readReport(left)?.type, 'note');
      assert.equal(readReport(left), null);
      closeSync(left);
    },
  ],

  [
    'a descriptor that does not block is waited for',
    () => {
      const [left, right] = socketPair();
      syscall('fcntl', [left, 4, 0o4000]);
      const image = makeImage((program) => {
        program.call('ppoll', [
          0,
          0,
          bytes(new Uint8Array(new BigInt64Array([0n, 30_000_000n]).buffer)),
          0,
          0,
        ]);
        program.notify(1);
        program.call('exit_group', [0]);
      });
      const pid = spawnExecutor({ image, fds: [{ from: right, to: REPORT }] });
      closeSync(right);
      assert.equal(readReport(left)?.type, 'note');
      reapExecutor(pid);
      closeSync(left);
    },
  ],

  [
    'messages that follow each other in a FIFO are told apart',
    () => {
      const [reader, writer] = pipe();
      const image = makeImage((program) => {
        program.notify(1, 1, 'first', 5);
        program.notify(2, 2);
        program.notify(3, 3, 'third', 5);
        program.call('exit_group', [0]);
      });
      const pid = spawnExecutor({ image, fds: [{ from: writer, to: REPORT }] });
      closeSync(writer);
      reapExecutor(pid);
      const texts = [1, 2, 3].map(() => readReport(reader, 'fifo')?.text);
      assert.deepEqual(texts, ['first', '', 'third']);
      assert.equal(readReport(reader, 'fifo'), null);
      closeSync(reader);
    },
  ],

  [
    'a refused tape says why',
    () => {
      const [left, right] = socketPair();
      const image = exits(0);
      image[0x1000 + 4] = 77;
      const pid = spawnExecutor({ image, fds: [{ from: right, to: REPORT }] });
      closeSync(right);
      const refusal = { type: 'refused', index: INDEX_HEADER, reason: REASON.VERSION, text: '' };
      assert.deepEqual(readReport(left), refusal);
      assert.equal(readReport(left), null);
      reapExecutor(pid);
      closeSync(left);
    },
  ],

  [
    'bytes that are no message are an error',
    () => {
      const [left, right] = socketPair();
      writeSync(right, 'short');
      assert.throws(() => readReport(left), { code: 'E_INTERNAL', message: /no message: 5 bytes/ });
      writeSync(right, new Uint8Array(32).fill(0));
      assert.throws(() => readReport(left), /no message: type 0/);
      closeSync(left);
      closeSync(right);
      assert.throws(() => readReport(left), /cannot read the report.*EBADF/);
    },
  ],
];
