import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT, HEADER, IMAGE, OP } from './abi.ts';
import { ERRNO, O, openFlags } from './constants/index.ts';
import {
  type Arg,
  addressOf,
  bytes,
  type Condition,
  handed,
  Program,
  type SetOperator,
  stringArray,
  valueIn,
  words,
} from './program.ts';
import { assemble, image } from './tape.ts';
import { emulated, native, type Result, runImage, runProgram } from './testing/harness.ts';

const MINUS_ONE = -1;
const NOT_OPEN = 1_000_000;

for (const runner of [native, emulated()]) {
  if (typeof runner === 'string') {
    test('the executor of the other machine', { skip: runner }, () => {});
    continue;
  }
  const on = runner.machine;

  /** Runs what `build` appends, then exits with 7. */
  const run = (build: (program: Program) => void, options?: Parameters<typeof runProgram>[2]): Result => {
    const program = new Program();
    build(program);
    program.call('exit_group', [7]);
    return runProgram(runner, program, options);
  };
  const notes = (result: Result) =>
    result.messages.map((message) => (message.type === 'note' ? [message.tag, message.value] : message));

  test(`${on}: system calls take their arguments in order and give their status`, () => {
    const result = run((program) => {
      program.call('write', [1, bytes(new TextEncoder().encode('hello\n')), 6]);
    });
    assert.deepEqual(result, { messages: [], status: 7, signal: null, stdout: Buffer.from('hello\n') });
  });

  test(`${on}: all six arguments reach the kernel`, () => {
    // mmap is no call of the table, so another one becomes it in the bytes; what is read from the mapping shows all.
    const program = new Program();
    const [fd, address] = [program.cell('fd'), program.cell('address')];
    program.call('openat', [-100, '/proc/self/exe', 0], { store: fd });
    program.call('prctl', [0, 32, 1, 2, valueIn(fd)], { store: address });
    program.call('write', [1, valueIn(address), 4]);
    program.call('exit_group', [0]);
    const tape = assemble(program, { machine: runner.machine, fds: {}, reportFd: 3 });
    const prctl = new DataView(tape.bytes.buffer, tape.bytes.byteOffset + HEADER.SIZE + OP.SIZE);
    prctl.setUint16(OP.NR, runner.machine === 'x64' ? 9 : 222, true);
    prctl.setUint32(OP.ARG + 5 * 4, IMAGE.TAPE_OFFSET, true);
    const result = runImage(runner, image(runner.elf, tape));
    assert.equal(result.stdout.toString(), 'RTAP');
  });

  test(`${on}: argument kinds: immediate, bigint, string, address and value of a cell, descriptor, structures`, () => {
    const result = run(
      (program) => {
        const buffer = program.cell('buffer', 16);
        const count = program.cell('count');
        const link = program.label('link');
        program.call('read', [handed('input'), addressOf(buffer, 3), 5], { store: count });
        program.call('write', [1, addressOf(buffer, 3), valueIn(count)]);
        program.call('write', [1, words('iovec', ['text', 4]), 16]);
        program.notify(-5, 0x1234_5678_9abcn);
        program.notify(-1, -(2 ** 40));
        program.notify(2 ** 31, 2 ** 32 + 1);
        program.place(link);
        program.notify(1, valueIn(count));
      },
      { fds: { input: 0 }, input: 'abcde' },
    );
    assert.equal(result.stdout.subarray(0, 5).toString(), 'abcde');
    assert.equal(result.stdout.readBigUInt64LE(13), 4n);
    assert.deepEqual(notes(result), [
      [-5, 0x1234_5678_9abc],
      [-1, -(2 ** 40)],
      [2 ** 31, 2 ** 32 + 1],
      [1, 5],
    ]);
  });

  test(`${on}: pointers inside constant structures are absolute addresses`, () => {
    const result = run((program) => {
      program.call('execve', [
        '/bin/sh',
        stringArray(['sh', '-c', 'echo "$1 $HOME"', 'x', 'grüße']),
        stringArray(['HOME=/h']),
      ]);
    });
    assert.equal(result.stdout.toString(), 'grüße /h\n');
    assert.equal(result.status, 0);
  });

  test(`${on}: nested structures and cells in structures`, () => {
    const result = run((program) => {
      const buffer = program.cell('buffer', 8);
      const iov = words('iovec', ['abc', 3, addressOf(buffer), 2]);
      const message = words('msghdr', [0, 0, iov, 2, 0, 0, 0]);
      const pair = program.cell('pair');
      const [left, right] = [program.cell('left'), program.cell('right')];
      const received = program.cell('received', 8);
      program.call('socketpair', [1, 5, 0, addressOf(pair)]);
      program.set(left, valueIn(pair), '&', 0xffffffffn);
      program.set(right, valueIn(pair), '>>', 32);
      program.set(buffer, 0x6564);
      program.call('sendmsg', [valueIn(left), message, 0]);
      program.call('read', [valueIn(right), addressOf(received), 8]);
      program.call('write', [1, addressOf(received), 8]);
    });
    assert.equal(result.stdout.toString(), 'abcde\0\0\0');
  });

  test(`${on}: results are stored, errors as negative errnos, and cells are zero before`, () => {
    const result = run((program) => {
      const [first, second, error] = [program.cell('a'), program.cell('b'), program.cell('c')];
      program.notify(1, valueIn(first));
      program.call('umask', [0o27]);
      program.call('umask', [0], { store: second });
      program.call('close', [NOT_OPEN], { store: error, tolerate: ['EBADF'] });
      program.notify(2, valueIn(second));
      program.notify(3, valueIn(error));
    });
    assert.deepEqual(notes(result), [
      [1, 0],
      [2, 0o27],
      [3, -ERRNO.EBADF],
    ]);
  });

  test(`${on}: errors that aren't listed are reported with index and errno, and end it`, () => {
    const result = run((program) => {
      program.call('getpid', []);
      program.call('close', [NOT_OPEN], { tolerate: ['ENOENT', 'EIO', 'EPERM', 'EACCES'] });
      program.notify(1);
    });
    assert.deepEqual(result.messages, [{ type: 'fail', index: 1, errno: ERRNO.EBADF, text: '' }]);
    assert.equal(result.status, EXIT.FAILED);
  });

  test(`${on}: each of four listed errnos, and any, continue at the next operation`, () => {
    for (const tolerate of [
      ['EBADF'],
      ['EIO', 'EBADF'],
      ['EIO', 'EPERM', 'EBADF'],
      ['EIO', 'EPERM', 'ENOENT', 'EBADF'],
      'any',
    ] as const) {
      const result = run((program) => {
        program.call('close', [NOT_OPEN], { tolerate });
        program.notify(1);
      });
      assert.deepEqual(notes(result), [[1, 0]]);
      assert.equal(result.status, 7);
    }
  });

  test(`${on}: a listed errno goes on at its label, and a success doesn't`, () => {
    const build = (fd: number) => (program: Program) => {
      const missing = program.label('missing');
      const end = program.label('end');
      program.call('fcntl', [fd, 1], { tolerate: ['EBADF'], goto: missing });
      program.notify(1);
      program.jump(end);
      program.place(missing);
      program.notify(2);
      program.place(end);
    };
    assert.deepEqual(notes(run(build(NOT_OPEN))), [[2, 0]]);
    assert.deepEqual(notes(run(build(0))), [[1, 0]]);
  });

  test(`${on}: a child of clone3 goes on with copies of the cells, the report and the last failure`, (t) => {
    const result = run((program) => {
      const [pid, cell] = [program.cell('pid'), program.cell('cell')];
      const [child, failed] = [program.label('child'), program.label('failed')];
      program.set(cell, 5);
      program.call('chdir', ['/nonesuch'], { tolerate: ['ENOENT'], goto: failed });
      program.notify(0);
      program.place(failed);
      program.call('clone3', [words('clone_args', [0, 0, 0, 0, 17, 0, 0, 0]), 64], { store: pid });
      program.jumpIf(valueIn(pid), '==', 0, child);
      program.set(cell, 6);
      program.call('waitid', [1, valueIn(pid), null, 4, null]);
      program.notify(1, valueIn(cell));
      program.call('exit_group', [0]);
      program.place(child);
      program.notify(2, valueIn(cell));
      program.fail('child');
    });
    const [message] = result.messages;
    if (runner.command.length > 0 && message?.type === 'fail' && message.errno === ERRNO.ENOSYS)
      return t.skip(`${runner.command[0]} has no clone3`);
    assert.deepEqual(notes(result), [
      [2, 5],
      { type: 'fail', index: 1, errno: ERRNO.ENOENT, text: 'child' },
      [1, 6],
    ]);
    assert.equal(result.status, 0);
  });

  test(`${on}: jump conditions`, () => {
    const cases: [Arg, Exclude<Condition, 'always'>, Arg, boolean][] = [
      [1, '==', 1, true],
      [1, '==', 2, false],
      [2n ** 32n, '==', 0, false],
      [1, '!=', 2, true],
      [1, '!=', 1, false],
      [2n ** 40n, '!=', 0, true],
      [-1, '<', 0, true],
      [0, '<', 0, false],
      [1, '<', -(2 ** 40), false],
      [-(2n ** 63n), '<', 2n ** 63n - 1n, true],
      [0, '>=', 0, true],
      [-1, '>=', 0, false],
      [1, '>=', -1, true],
      [6, '&', 2, true],
      [6, '&', 9, false],
      [2n ** 63n, '&', MINUS_ONE, true],
    ];
    const result = run((program) => {
      cases.forEach(([left, condition, right], index) => {
        const yes = program.label(`yes${index}`);
        const end = program.label(`end${index}`);
        program.jumpIf(left, condition, right, yes);
        program.notify(index, 0);
        program.jump(end);
        program.place(yes);
        program.notify(index, 1);
        program.place(end);
      });
    });
    assert.deepEqual(
      notes(result),
      cases.map(([, , , holds], index) => [index, holds ? 1 : 0]),
    );
  });

  test(`${on}: backward jumps make loops`, () => {
    const result = run((program) => {
      const count = program.cell('count');
      const again = program.label('again');
      program.place(again);
      program.notify(1, valueIn(count));
      program.set(count, valueIn(count), '+', 1);
      program.jumpIf(valueIn(count), '<', 3, again);
    });
    assert.deepEqual(notes(result), [
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
  });

  test(`${on}: SET operators on 64 bits, into any word of a cell`, () => {
    const cases: [Arg, SetOperator, Arg, bigint][] = [
      [41, '', 5, 41n],
      [-1, '', 0, -1n],
      [2n ** 62n, '+', 2n ** 62n, -(2n ** 63n)],
      [7, '+', -8, -1n],
      [0xff00ff00ff00, '&', 0x0ff00ff00ff0, 0x0f000f000f00n],
      [0xf0f0, '|', 0x0f0f, 0xffffn],
      [1, '<<', 40, 1n << 40n],
      [1, '<<', 64, 1n],
      [-1, '>>', 60, 15n],
      [0x1_0000_0000n, '>>', 32, 1n],
    ];
    const result = run((program) => {
      const cell = program.cell('cell', cases.length * 8 + 8);
      cases.forEach(([left, operator, right], index) => {
        program.set(cell, left, operator, right, 8 * index);
      });
      program.call('write', [1, addressOf(cell), cases.length * 8 + 8]);
    });
    const found = cases.map((_, index) => result.stdout.readBigInt64LE(index * 8));
    assert.deepEqual(
      found,
      cases.map(([, , , expected]) => expected),
    );
    assert.equal(result.stdout.readBigInt64LE(cases.length * 8), 0n);
  });

  test(`${on}: an address that isn't there is the kernel's error`, () => {
    const result = run((program) => {
      program.call('write', [1, 16, 8]);
    });
    assert.deepEqual(result.messages, [{ type: 'fail', index: 0, errno: ERRNO.EFAULT, text: '' }]);
  });

  test(`${on}: neither the tape nor the executor's code can be written, and cells can't be executed`, () => {
    const result = run(
      (program) => {
        const maps = program.cell('maps', 4096);
        const [fd, length] = [program.cell('fd'), program.cell('length')];
        const flags = openFlags(runner.machine);
        const error = program.cell('error');
        for (const address of [words('tape', [0, 0]), 0x400000]) {
          program.call('read', [0, address, 16], { store: error, tolerate: ['EFAULT'] });
          program.notify(1, valueIn(error));
        }
        program.call('openat', [-100, '/proc/self/maps', flags.RDONLY], { store: fd });
        program.call('read', [valueIn(fd), addressOf(maps), 4096], { store: length });
        program.call('write', [1, addressOf(maps), valueIn(length)]);
      },
      { input: 'overwrite' },
    );
    assert.equal(result.status, 7);
    assert.deepEqual(notes(result), [
      [1, -ERRNO.EFAULT],
      [1, -ERRNO.EFAULT],
    ]);
    const permissions = [...result.stdout.toString().matchAll(/^\S+ (....) /gm)].map(([, flags]) => flags!);
    assert.ok(permissions.length >= 3);
    // qemu shows the guest's mappings; both show text, tape, cells and stack.
    for (const flags of permissions)
      assert.ok(!(flags.includes('w') && flags.includes('x')), result.stdout.toString());
  });

  test(`${on}: many operations and much data`, () => {
    const result = run((program) => {
      const cell = program.cell('cell');
      for (let i = 0; i < 3000; i++) program.set(cell, valueIn(cell), '+', i);
      program.call('write', [1, bytes(new Uint8Array(100_000).fill(65)), 100_000]);
      program.notify(1, valueIn(cell));
    });
    assert.equal(result.stdout.length, 100_000);
    assert.deepEqual(notes(result), [[1, (3000 * 2999) / 2]]);
  });
}

test('open flags of this machine are those that the kernel takes', () => {
  const program = new Program();
  program.call('openat', [-100, '/dev/null', O.DIRECTORY], { tolerate: ['ENOTDIR'] });
  program.call('openat', [-100, '/proc/self/exe', O.NOFOLLOW], { tolerate: ['ELOOP'] });
  program.call('openat', [-100, '/', O.DIRECTORY | O.NOFOLLOW]);
  program.call('exit_group', [0]);
  assert.equal(runProgram(native, program).status, 0);
});
