import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntsError } from '../src/errors.ts';
import { HEADER, IMAGE, OP, STACK_SIZE } from './abi.ts';
import { ERRNO } from './constants/index.ts';
import {
  type DecodedTape,
  decodeTape,
  stringArrayAt,
  stringAt,
  syscallName,
  validateTape,
  wordAt,
} from './decode.ts';
import { addressOf, bytes, handed, Program, sizeOfCells, stringArray, valueIn, words } from './program.ts';
import { SYSCALLS } from './syscalls.ts';
import { type AssembleOptions, assemble, image, type Tape } from './tape.ts';

const OPTIONS: AssembleOptions = { machine: 'x64', fds: { rootfs: 5, cgroup: 6 }, reportFd: 3 };

/** Assembles a program that ends with exit_group, and decodes it. */
function roundTrip(
  build: (program: Program) => void,
  options = OPTIONS,
): { tape: Tape; decoded: DecodedTape } {
  const program = new Program();
  build(program);
  program.call('exit_group', [0]);
  const tape = assemble(program, options);
  assert.equal(validateTape(tape.bytes, tape.cellsSize, options.machine), undefined);
  return { tape, decoded: decodeTape(tape.bytes) };
}

test('header', () => {
  const { tape, decoded } = roundTrip(
    (program) => {
      const cells = [program.cell('a', 1), program.cell('b', 9), program.cell('c')];
      assert.deepEqual(
        cells.map(({ offset }) => offset),
        [STACK_SIZE, STACK_SIZE + 8, STACK_SIZE + 24],
      );
    },
    { ...OPTIONS, machine: 'arm64', reportFd: -1 },
  );
  assert.equal(decoded.machine, 'arm64');
  assert.equal(decoded.reportFd, -1);
  assert.equal(decoded.ops.length, 1);
  assert.equal(decoded.dataOffset, HEADER.SIZE + OP.SIZE);
  assert.equal(decoded.cellsSize, STACK_SIZE + 32);
  assert.equal(tape.cellsSize, STACK_SIZE + 32);
});

test('cells do not overlap, whatever their sizes', () => {
  for (const sizes of [
    [8, 4096, 8],
    [4096, 8, 5000, 16],
    [1000, 1000, 4096, 1000, 1000, 8, 2000, 8],
    [4096, ...Array.from({ length: 500 }, () => 20), 4096, 8],
  ]) {
    const program = new Program();
    const cells = sizes.map((size) => program.cell('cell', size));
    const places = cells.map(({ offset, size }) => [offset, offset + size]).sort((a, b) => a[0]! - b[0]!);
    places.forEach(([start], i) => {
      assert.equal(start! % 8, 0);
      if (i > 0) assert.ok(start! >= places[i - 1]![1]!, sizes.join());
    });
    assert.ok(sizeOfCells(cells) >= places.at(-1)![1]!);
  }
});

test('a program without cells has eight bytes of them, as the executor demands', () => {
  assert.equal(roundTrip(() => {}).tape.cellsSize, STACK_SIZE + 8);
});

test('system call numbers are the machine’s', () => {
  for (const machine of ['x64', 'arm64'] as const) {
    const { decoded } = roundTrip((program) => program.call('mount', ['a', 'b']), { ...OPTIONS, machine });
    assert.equal(decoded.ops[0]!.nr, SYSCALLS.mount[machine]);
    assert.equal(syscallName(decoded.ops[0]!.nr, machine), 'mount');
  }
});

test('each string stands once, whoever refers to it', () => {
  const { tape, decoded } = roundTrip((program) => {
    program.call('mount', ['proc', '/proc', 'proc', 0, '']);
    program.call('execve', ['/proc', stringArray(['proc', '']), stringArray([])]);
  });
  const offsets = decoded.ops[0]!.args.map(({ value }) => value);
  assert.equal(offsets[0], offsets[2]);
  assert.deepEqual(
    offsets.slice(0, 3).map((offset) => stringAt(tape.bytes, offset)),
    ['proc', '/proc', 'proc'],
  );
  assert.equal(stringAt(tape.bytes, offsets[4]!), '');
  assert.equal(decoded.ops[1]!.args[0]!.value, offsets[1]);
  assert.deepEqual(stringArrayAt(tape.bytes, decoded.ops[1]!.args[1]!.value), ['proc', '']);
  assert.deepEqual(stringArrayAt(tape.bytes, decoded.ops[1]!.args[2]!.value), []);
  assert.equal(Buffer.from(tape.bytes).toString('latin1').split('proc').length - 1, 2);
});

test('strings that are not ASCII, also behind and before others', () => {
  const strings = ['plain', 'grüße', '日本語', '😀', 'a\ud800b', 'after'];
  const { tape, decoded } = roundTrip((program) => {
    for (const string of strings) program.call('chdir', [string]);
    program.call('execve', ['x', stringArray(strings), null]);
  });
  const found = decoded.ops.slice(0, strings.length).map((op) => stringAt(tape.bytes, op.args[0]!.value));
  const expected = strings.map((string) => string.replace('\ud800', '\ufffd'));
  assert.deepEqual(found, expected);
  assert.deepEqual(stringArrayAt(tape.bytes, decoded.ops.at(-2)!.args[1]!.value), expected);
});

test('a structure stands once, aligned, with absolute addresses; other bytes as they are', () => {
  const { tape, decoded } = roundTrip((program) => {
    program.cell('first');
    const cell = program.cell('second', 16);
    const inner = words('inner', [1, 'text']);
    const raw = bytes(Uint8Array.of(9, 8, 7));
    const outer = words('outer', [
      inner,
      raw,
      addressOf(cell, 3),
      handed('cgroup'),
      -2,
      2n ** 63n,
      inner,
      2 ** 40,
    ]);
    program.call('chdir', ['odd']);
    program.call('openat2', [1, 'x', outer, 24]);
    program.call('openat2', [1, 'x', outer, 24]);
    program.call('write', [1, raw, 3]);
  });
  const at = decoded.ops[1]!.args[2]!.value;
  assert.equal(decoded.ops[2]!.args[2]!.value, at);
  assert.equal(at % 8n, 0n);
  const word = (index: number) => wordAt(tape.bytes, at + BigInt(8 * index));
  const inTape = (address: bigint) => address - BigInt(IMAGE.TAPE_BASE);
  assert.equal(wordAt(tape.bytes, inTape(word(0))), 1n);
  assert.equal(stringAt(tape.bytes, inTape(wordAt(tape.bytes, inTape(word(0)) + 8n))), 'text');
  assert.equal(inTape(word(1)), decoded.ops[3]!.args[1]!.value);
  assert.deepEqual([...tape.bytes.subarray(Number(inTape(word(1))), Number(inTape(word(1))) + 3)], [9, 8, 7]);
  assert.equal(word(2), BigInt(IMAGE.CELLS_BASE + STACK_SIZE + 8 + 3));
  assert.equal(word(3), 6n);
  assert.equal(word(4), -2n);
  assert.equal(word(5), -(2n ** 63n));
  assert.equal(word(6), word(0));
  assert.equal(word(7), 2n ** 40n);
});

test('many and large structures', () => {
  const large = new Uint8Array(70_001).map((_, i) => i % 251);
  const { tape, decoded } = roundTrip((program) => {
    for (let i = 0; i < 500; i++)
      program.call('openat2', [1, 'x', words('open_how', [i, 0, bytes(Uint8Array.of(i % 256))]), 24]);
    program.call('write', [1, bytes(large), large.length]);
  });
  for (let i = 0; i < 500; i++) {
    const at = decoded.ops[i]!.args[2]!.value;
    assert.equal(wordAt(tape.bytes, at), BigInt(i));
    assert.equal(tape.bytes[Number(wordAt(tape.bytes, at + 16n)) - IMAGE.TAPE_BASE], i % 256);
  }
  const at = Number(decoded.ops[500]!.args[1]!.value);
  assert.deepEqual(tape.bytes.subarray(at, at + large.length), large);
});

test('error policies: up to four errnos or any, to a label or the next operation', () => {
  const { decoded } = roundTrip((program) => {
    const label = program.label('there');
    program.call('chdir', ['a'], { tolerate: ['ENOENT', 'EACCES', 'ENOTSUP', 'EIO'], goto: label });
    program.call('chdir', ['b'], { tolerate: 'any' });
    program.place(label);
    program.call('chdir', ['c']);
  });
  const policies = decoded.ops.map(({ errnos, target }) => ({ errnos, target }));
  assert.deepEqual(policies, [
    { errnos: [ERRNO.ENOENT, ERRNO.EACCES, ERRNO.EOPNOTSUPP, ERRNO.EIO], target: 2 },
    { errnos: [0xffff], target: 2 },
    { errnos: [], target: 0 },
    { errnos: [], target: 0 },
  ]);
});

test('the length of a literal text is its own, unless one is given', () => {
  const { decoded } = roundTrip((program) => {
    program.notify(1, 2, 'grün');
    program.notify(1, 2, 'grün', 2);
    program.notify(1, 2, 'x'.repeat(1000));
    program.fail('text');
  });
  const lengths = decoded.ops.slice(0, 3).map((op) => op.args[3]!.value);
  assert.deepEqual(lengths, [5n, 2n, 512n]);
  assert.equal(decoded.ops[3]!.args[1]!.value, 4n);
});

/** The error that a program gives, which must be one for the user. */
function refused(build: (program: Program) => void, options = OPTIONS): RuntsError {
  try {
    roundTrip(build, options);
  } catch (error) {
    assert.ok(error instanceof RuntsError, String(error));
    return error;
  }
  return assert.fail('assembled');
}

test('mistakes of a planner are errors that name the operation and its field', () => {
  const other = new Program().cell('other');
  const cases: [expected: RegExp, build: (program: Program) => void][] = [
    [
      /mount for mounts\[1\] takes 5 arguments, not 6/,
      (p) => p.within('mounts[1]', () => p.call('mount', ['', '', '', 0, '', ''])),
    ],
    [
      /chdir goes to the label gone, which is nowhere/,
      (p) => p.call('chdir', ['x'], { tolerate: 'any', goto: p.label('gone') }),
    ],
    [/jump goes to the label gone, which is nowhere/, (p) => p.jump(p.label('gone'))],
    [/chdir has a goto but tolerates no errno/, (p) => p.call('chdir', ['x'], { goto: p.label('x') })],
    [
      /chdir tolerates 5 errnos/,
      (p) => p.call('chdir', ['x'], { tolerate: ['EIO', 'EPERM', 'EACCES', 'EBUSY', 'ELOOP'] }),
    ],
    [/chdir tolerates 0 errnos/, (p) => p.call('chdir', ['x'], { tolerate: [] })],
    [/chdir tolerates an unknown errno: ENONE/, (p) => p.call('chdir', ['x'], { tolerate: ['ENONE'] })],
    [/close uses the descriptor sync, which is not handed over/, (p) => p.call('close', [handed('sync')])],
    [/close uses the cell other of another program/, (p) => p.call('close', [valueIn(other)])],
    [/close uses byte 8 of the cell fd, which has 8/, (p) => p.call('close', [valueIn(p.cell('fd'), 8)])],
    [/close uses byte 4 of the cell fd/, (p) => p.call('close', [valueIn(p.cell('fd', 16), 4)])],
    [/read uses byte -1 of the cell fd/, (p) => p.call('read', [0, addressOf(p.cell('fd'), -1)])],
    [/set uses byte 16 of the cell c/, (p) => p.set(p.cell('c', 16), 1, '', 0, 16)],
    [/close has an argument that is no integer: 0.5/, (p) => p.call('close', [0.5])],
    [/close has an argument that is no integer: NaN/, (p) => p.call('close', [Number.NaN])],
    [/close has an argument that is no integer: 9007199254740992/, (p) => p.call('close', [2 ** 53])],
    [/close has an argument beyond 64 bits/, (p) => p.call('close', [2n ** 64n])],
    [/close has an argument beyond 64 bits/, (p) => p.call('close', [-(2n ** 63n) - 1n])],
  ];
  for (const [expected, build] of cases) {
    const error = refused(build);
    assert.match(error.message, expected);
    assert.equal(error.code, 'E_INTERNAL', error.message);
  }
});

test('a label behind the last operation, an end that can be run past, nothing at all', () => {
  const behind = new Program();
  const label = behind.label('end');
  behind.jump(label);
  behind.place(label);
  assert.throws(() => assemble(behind, OPTIONS), /goes to the label end, behind the last operation/);

  const open = new Program();
  open.call('execve', ['x', null, null]);
  assert.throws(() => assemble(open, OPTIONS), /execve is the last operation; that must be fail/);
  assert.throws(() => assemble(new Program(), OPTIONS), /a program without operations/);
});

test('a NUL in a string is an error of the config field that it comes from', () => {
  const error = refused((program) =>
    program.within('process.args[1]', () => program.call('chdir', ['a\0b'])),
  );
  assert.equal(error.code, 'E_CONFIG_INVALID');
  assert.equal(error.details.field, 'process.args[1]');
  assert.match(error.message, /^process\.args\[1\]: a string contains a NUL byte: "a\\u0000b"$/);
  const listed = refused((program) => program.call('execve', ['x', stringArray(['\0']), null]));
  assert.equal(listed.code, 'E_INTERNAL');
});

test('an image is the executor, the tape behind it, and their sizes in the headers', () => {
  const { tape } = roundTrip((program) => program.cell('c', 100));
  const elf = new Uint8Array(500).fill(1);
  elf.fill(0, IMAGE.TAPE_FILESZ, IMAGE.CELLS_MEMSZ + 8);
  // Once in the room that assemble() left, once from bytes that have none.
  for (const bytes of [tape.bytes, tape.bytes.slice()]) {
    const file = image(elf, { bytes, cellsSize: tape.cellsSize });
    const view = new DataView(file.buffer, file.byteOffset);
    assert.equal(file.length, IMAGE.TAPE_OFFSET + tape.bytes.length);
    assert.deepEqual(file.slice(IMAGE.TAPE_OFFSET), tape.bytes.slice());
    assert.equal(view.getBigUint64(IMAGE.TAPE_FILESZ, true), BigInt(tape.bytes.length));
    assert.equal(view.getBigUint64(IMAGE.TAPE_MEMSZ, true), BigInt(tape.bytes.length));
    assert.equal(view.getBigUint64(IMAGE.CELLS_MEMSZ, true), BigInt(STACK_SIZE + 104));
    assert.equal(file[IMAGE.TAPE_FILESZ - 1], 1);
    assert.deepEqual([...file.subarray(498, 502)], [1, 1, 0, 0]);
  }
  for (const size of [0, 100, 4097])
    assert.throws(() => image(new Uint8Array(size), tape), { code: 'E_INSTALL' });
});
