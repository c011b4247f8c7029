/**
 * Tapes that no assembler makes: each rule of the format broken on purpose, then thousands of random tapes and
 * mutations of them, on which the executor must do exactly what the model (testing/model.ts) says.
 *
 * Nothing here can do harm: a system call is one of four harmless ones, whatever a mutation makes of a tape.
 * RUNTS_TEST_SEED in the environment chooses other random tapes.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXIT, HEADER, IMAGE, INDEX_HEADER, KIND, OP, REASON, STACK_SIZE } from './abi.ts';
import { decodeTape, reasonName, validateTape } from './decode.ts';
import { Program, valueIn } from './program.ts';
import { assemble, image } from './tape.ts';
import { emulated, native, REPORT_FD, type Runner, runBatch, runImage } from './testing/harness.ts';
import { modelled, predict } from './testing/model.ts';
import { encodeTape, mutation, type RawTape, randomTape } from './testing/random-tape.ts';

const SEED = Number(process.env.RUNTS_TEST_SEED ?? 20240229);

/** A valid tape: a note, then exit. */
function sample(runner: Runner): RawTape {
  const program = new Program();
  const cell = program.cell('cell', 16);
  program.call('umask', [0], { store: cell, tolerate: ['EPERM'] });
  program.set(cell, valueIn(cell), '+', 1, 8);
  program.notify(1, valueIn(cell), 'text');
  program.call('exit_group', [0]);
  const { bytes, cellsSize } = assemble(program, { machine: runner.machine, fds: {}, reportFd: REPORT_FD });
  return { bytes: bytes.slice(), cellsSize };
}

/** Offset of a field of an operation. */
const field = (index: number, offset: number) => HEADER.SIZE + index * OP.SIZE + offset;

type Break = [
  rule: string,
  index: number,
  reason: number,
  (view: DataView, tape: RawTape) => RawTape | undefined,
];

function u16(at: number, value: number): Break[3] {
  return (view) => void view.setUint16(at, value, true);
}
function u32(at: number, value: number): Break[3] {
  return (view) => void view.setUint32(at, value, true);
}
/** Argument 0 of operation 1. */
function argument(kind: number, value: bigint): Break[3] {
  return (view) => {
    view.setUint16(field(1, OP.ARG_KINDS), kind, true);
    view.setInt32(field(1, OP.ARG), Number(value), true);
  };
}

/** Argument 0 of operation 2, which is an immediate. */
function wide(offset: bigint): Break[3] {
  return (view) => {
    view.setUint16(field(2, OP.WIDE), 1, true);
    view.setUint32(field(2, OP.ARG), Number(offset), true);
  };
}

const DATA_OFFSET = HEADER.SIZE + 4 * OP.SIZE;

const BREAKS: Break[] = [
  ['another version', INDEX_HEADER, REASON.VERSION, u16(HEADER.VERSION, 1)],
  ['another machine', INDEX_HEADER, REASON.MACHINE, u16(HEADER.MACHINE, 40)],
  ['tape size too large', INDEX_HEADER, REASON.TAPE_SIZE, u32(HEADER.TAPE_SIZE, 0x1000)],
  ['tape size too small', INDEX_HEADER, REASON.TAPE_SIZE, u32(HEADER.TAPE_SIZE, HEADER.SIZE)],
  [
    'truncated by a byte',
    INDEX_HEADER,
    REASON.TAPE_SIZE,
    (_, tape) => ({ ...tape, bytes: tape.bytes.slice(0, -1) }),
  ],
  [
    'truncated to its header',
    INDEX_HEADER,
    REASON.TAPE_SIZE,
    (_, tape) => ({ ...tape, bytes: tape.bytes.slice(0, HEADER.SIZE) }),
  ],
  [
    'trailing bytes',
    INDEX_HEADER,
    REASON.TAPE_SIZE,
    (_, tape) => ({ ...tape, bytes: Buffer.concat([tape.bytes, Buffer.alloc(8)]) }),
  ],
  ['cells size of another image', INDEX_HEADER, REASON.CELLS_SIZE, u32(HEADER.CELLS_SIZE, STACK_SIZE + 24)],
  [
    'no cells',
    INDEX_HEADER,
    REASON.CELLS_SIZE,
    (view, tape) => {
      view.setUint32(HEADER.CELLS_SIZE, 0, true);
      return { ...tape, cellsSize: 0 };
    },
  ],
  [
    'no cells beside the stack',
    INDEX_HEADER,
    REASON.CELLS_SIZE,
    (view, tape) => {
      view.setUint32(HEADER.CELLS_SIZE, STACK_SIZE, true);
      return { ...tape, cellsSize: STACK_SIZE };
    },
  ],
  [
    'cells that are no multiple of 8',
    INDEX_HEADER,
    REASON.CELLS_SIZE,
    (view, tape) => {
      view.setUint32(HEADER.CELLS_SIZE, STACK_SIZE + 20, true);
      return { ...tape, cellsSize: STACK_SIZE + 20 };
    },
  ],
  [
    'no operations',
    INDEX_HEADER,
    REASON.LAYOUT,
    (view) => {
      view.setUint32(HEADER.OP_COUNT, 0, true);
      view.setUint32(HEADER.DATA_OFFSET, HEADER.SIZE, true);
    },
  ],
  ['more operations than the tape has', INDEX_HEADER, REASON.LAYOUT, u32(HEADER.OP_COUNT, 5)],
  [
    'operations beyond the tape',
    INDEX_HEADER,
    REASON.LAYOUT,
    (view) => {
      view.setUint32(HEADER.OP_COUNT, 1000, true);
      view.setUint32(HEADER.DATA_OFFSET, HEADER.SIZE + 1000 * OP.SIZE, true);
    },
  ],
  [
    'a number of operations whose size overflows 32 bits',
    INDEX_HEADER,
    REASON.LAYOUT,
    (view) => {
      view.setUint32(HEADER.OP_COUNT, 4 + 2 ** 29, true);
    },
  ],
  ['data inside the operations', INDEX_HEADER, REASON.LAYOUT, u32(HEADER.DATA_OFFSET, DATA_OFFSET - OP.SIZE)],
  ['reserved field of the header', INDEX_HEADER, REASON.RESERVED, u32(HEADER.RESERVED, 1)],
  ['a seventh wide argument', 2, REASON.RESERVED, u16(field(2, OP.WIDE), 1 << 6)],
  ['a wide argument that is no immediate', 1, REASON.ARG_KINDS, u16(field(1, OP.WIDE), 1)],
  ['a wide argument in the operations', 2, REASON.DATA, wide(BigInt(DATA_OFFSET - 8))],
  ['a wide argument across words', 2, REASON.DATA, wide(BigInt(DATA_OFFSET + 4))],
  ['a wide argument across the end', 2, REASON.DATA, wide(BigInt(DATA_OFFSET + 8))],
  ['a wide argument at the end of memory', 2, REASON.DATA, wide(0xfffffff8n)],
  ['unknown kind', 1, REASON.KIND, u16(field(1, OP.KIND), 6)],
  ['unknown operator', 1, REASON.NUMBER, u16(field(1, OP.NR), 6)],
  [
    'unknown condition',
    1,
    REASON.NUMBER,
    (view) => {
      view.setUint16(field(1, OP.KIND), KIND.JUMP, true);
      view.setUint16(field(1, OP.NR), 6, true);
    },
  ],
  ['number where the kind has none', 2, REASON.NUMBER, u16(field(2, OP.NR), 1)],
  ['a seventh argument', 1, REASON.ARG_KINDS, u16(field(1, OP.ARG_KINDS), 1 << 12)],
  ['data address in the operations', 1, REASON.DATA, argument(1, BigInt(DATA_OFFSET - 1))],
  ['data address beyond the tape', 1, REASON.DATA, argument(1, 0x10000n)],
  ['negative data address', 1, REASON.DATA, argument(1, -1n)],
  ['cell address beyond the cells', 1, REASON.CELL, argument(2, BigInt(STACK_SIZE + 16))],
  ['cell address on the stack', 1, REASON.CELL, argument(2, BigInt(STACK_SIZE - 1))],
  ['negative cell address', 1, REASON.CELL, argument(2, -8n)],
  ['value beyond the cells', 1, REASON.VALUE, argument(3, BigInt(STACK_SIZE + 16))],
  ['value on the stack', 1, REASON.VALUE, argument(3, BigInt(STACK_SIZE - 8))],
  ['value across words', 1, REASON.VALUE, argument(3, BigInt(STACK_SIZE + 4))],
  ['negative value', 1, REASON.VALUE, argument(3, -8n)],
  ['store beyond the cells', 0, REASON.STORE, u32(field(0, OP.STORE), STACK_SIZE + 17)],
  ['store on the stack', 0, REASON.STORE, u32(field(0, OP.STORE), STACK_SIZE - 7)],
  ['store across words', 0, REASON.STORE, u32(field(0, OP.STORE), STACK_SIZE + 2)],
  ['store at the end of memory', 0, REASON.STORE, u32(field(0, OP.STORE), 0xffffffff)],
  ['SET without a store', 1, REASON.STORE, u32(field(1, OP.STORE), 0)],
  ['error policy to no operation', 0, REASON.TARGET, u32(field(0, OP.TARGET), 4)],
  [
    'error policy in the last place only',
    1,
    REASON.TARGET,
    (view) => {
      view.setUint16(field(1, OP.ERRNOS + 6), 1, true);
      view.setUint32(field(1, OP.TARGET), 99, true);
    },
  ],
  [
    'jump to no operation',
    2,
    REASON.TARGET,
    (view) => {
      view.setUint16(field(2, OP.KIND), KIND.JUMP, true);
      view.setUint32(field(2, OP.TARGET), 0xffffffff, true);
    },
  ],
  ['an end that can be run past', 3, REASON.END, u16(field(3, OP.NR), 0xfff)],
  [
    'a conditional jump at the end',
    3,
    REASON.END,
    (view) => {
      view.setUint16(field(3, OP.KIND), KIND.JUMP, true);
      view.setUint16(field(3, OP.NR), 1, true);
    },
  ],
];

for (const runner of [native, emulated()]) {
  if (typeof runner === 'string') {
    test('malformed tapes on the other machine', { skip: runner }, () => {});
    continue;
  }
  const on = runner.machine;

  test(`${on}: each rule that is broken is reported, and nothing is performed`, () => {
    const tapes = BREAKS.map(([, , , breakIt]) => {
      const tape = sample(runner);
      return breakIt(new DataView(tape.bytes.buffer, tape.bytes.byteOffset), tape) ?? tape;
    });
    const results = runBatch(
      runner,
      tapes.map((tape) => image(runner.elf, tape)),
    );
    BREAKS.forEach(([rule, index, reason], i) => {
      const { report, status } = results[i]!;
      assert.equal(report.length, 32, `${rule}: ${report.length} bytes, status ${status}`);
      const found = [
        report.readUInt32LE(0),
        report.readUInt32LE(4),
        reasonName(Number(report.readBigInt64LE(8))),
      ];
      assert.deepEqual([...found, status], [3, index, reasonName(reason), EXIT.REFUSED], rule);
      assert.deepEqual(validateTape(tapes[i]!.bytes, tapes[i]!.cellsSize, on), { index, reason }, rule);
    });
    const reasons = new Set(BREAKS.map(([, , reason]) => reason));
    assert.deepEqual(
      [...reasons, REASON.MAGIC].sort((a, b) => a - b),
      Object.values(REASON),
    );
  });

  test(`${on}: what is no tape at all is refused in silence`, () => {
    const { bytes, cellsSize } = sample(runner);
    const wrongMagic = bytes.slice();
    wrongMagic[0]!++;
    for (const tape of [wrongMagic, bytes.slice(0, 31), bytes.slice(0, 4), new Uint8Array(0)]) {
      const result = runImage(runner, image(runner.elf, { bytes: tape, cellsSize }));
      assert.deepEqual([result.status, result.messages], [EXIT.REFUSED, []], `${tape.length} bytes`);
      assert.deepEqual(validateTape(tape, cellsSize, on), { index: INDEX_HEADER, reason: REASON.MAGIC });
    }
  });

  test(`${on}: a file shorter than its program header says is refused`, () => {
    const tape = sample(runner);
    const file = image(runner.elf, tape);
    new DataView(file.buffer).setUint32(IMAGE.TAPE_FILESZ, tape.bytes.length + 64, true);
    new DataView(file.buffer).setUint32(IMAGE.TAPE_MEMSZ, tape.bytes.length + 64, true);
    const result = runImage(runner, file);
    assert.deepEqual(result.messages, [{ type: 'refused', index: -1, reason: REASON.TAPE_SIZE }]);
    assert.equal(result.status, EXIT.REFUSED);
  });

  test(`${on}: random tapes, whole and mutated, do what the model says`, (t) => {
    const count = runner.command.length === 0 ? 1600 : 80;
    const calls = modelled(on);
    const arbitrary = fc
      .tuple(randomTape(calls), fc.option(fc.array(mutation, { minLength: 1, maxLength: 3 }), { freq: 2 }))
      .map(([ops, mutations]) => encodeTape(ops, on, mutations ?? [], calls.missing));
    const tapes = fc.sample(arbitrary, { numRuns: count, seed: SEED });
    const cases = tapes
      .map((tape) => ({ tape, expected: predict(tape.bytes, tape.cellsSize, on) }))
      .filter(({ expected }) => expected !== undefined);
    const results = runBatch(
      runner,
      cases.map(({ tape }) => image(runner.elf, tape)),
    );

    const tally: Record<string, number> = { unpredictable: count - cases.length };
    cases.forEach(({ tape, expected }, i) => {
      const refusal = validateTape(tape.bytes, tape.cellsSize, on);
      const outcome = refusal === undefined ? 'performed' : reasonName(refusal.reason);
      tally[outcome] = (tally[outcome] ?? 0) + 1;
      const { report, status } = results[i]!;
      const message = () =>
        `seed ${SEED}, tape ${i} (${outcome}): ${JSON.stringify(safeDecode(tape.bytes), (_, value) =>
          typeof value === 'bigint' ? String(value) : value,
        )}`;
      assert.equal(status, expected!.status, message());
      assert.equal(report.toString('hex'), expected!.report.toString('hex'), message());
    });
    t.diagnostic(JSON.stringify(tally));
    // The generator is worth something only while it reaches every verdict.
    assert.ok(cases.length > 0.7 * count, JSON.stringify(tally));
    if (count > 1000)
      for (const outcome of ['performed', ...Object.keys(REASON)])
        assert.ok((tally[outcome] ?? 0) >= 2, `${outcome}: ${JSON.stringify(tally)}`);
  });
}

function safeDecode(bytes: Uint8Array): unknown {
  try {
    return decodeTape(bytes);
  } catch (error) {
    return String(error);
  }
}
