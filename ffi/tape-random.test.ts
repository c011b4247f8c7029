import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRNO } from './constants/index.ts';
import { decodeTape, stringArrayAt, stringAt, syscallName, validateTape } from './decode.ts';
import {
  type Arg,
  addressOf,
  bytes,
  type Cell,
  CONDITIONS,
  handed,
  type Label,
  type Op,
  Program,
  SET_OPERATORS,
  stringArray,
  valueIn,
} from './program.ts';
import type { SyscallName } from './syscalls.ts';
import { type AssembleOptions, assemble, type Tape } from './tape.ts';

const OPTIONS: AssembleOptions = { machine: 'x64', fds: { rootfs: 5, cgroup: 6 }, reportFd: 3 };

// Random programs: what is decoded is what was put in.

interface Built {
  program: Program;
  cells: Cell[];
}

const name = fc.constantFrom<SyscallName>('prctl', 'mount', 'fsconfig', 'move_mount', 'waitid', 'clone3');
const argument = (cells: Cell[]): fc.Arbitrary<Arg> =>
  fc.oneof(
    fc.maxSafeInteger(),
    fc.integer(),
    fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
    fc.string({ unit: 'binary', maxLength: 20 }).map((string) => string.replaceAll('\0', '')),
    fc.constant(null),
    fc.constantFrom(...cells).map((cell) => valueIn(cell)),
    fc.constantFrom(...cells).map((cell) => addressOf(cell, 3)),
    fc.constantFrom('rootfs', 'cgroup').map(handed),
    fc.uint8Array({ maxLength: 40 }).map((content) => bytes(content)),
    fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }), { maxLength: 4 }).map(stringArray),
  );

const builtProgram: fc.Arbitrary<Built> = fc.integer({ min: 1, max: 20 }).chain((count) => {
  const program = new Program();
  const cells = [program.cell('a'), program.cell('b', 20), program.cell('c', 8)];
  const label = fc.nat(count).map((index): Label => ({ name: `at${index}`, index }));
  const op: fc.Arbitrary<Op> = fc.oneof(
    fc.record({
      kind: fc.constant('syscall' as const),
      name,
      args: fc.array(argument(cells), { maxLength: 2 }),
      tolerate: fc.oneof(
        fc.constant('any' as const),
        fc.subarray(['EIO', 'EPERM', 'ENOENT'], { minLength: 1, maxLength: 3 }),
      ),
      goto: fc.option(label, { nil: undefined }),
      store: fc.option(fc.constantFrom(...cells), { nil: undefined }),
    }),
    fc.record({
      kind: fc.constant('jump' as const),
      condition: fc.constantFrom(...CONDITIONS),
      args: fc.array(argument(cells), { maxLength: 2 }),
      target: label,
    }),
    fc.record({
      kind: fc.constant('set' as const),
      operator: fc.constantFrom(...SET_OPERATORS),
      args: fc.array(argument(cells), { maxLength: 2 }),
      store: fc.constant(cells[1]!),
      storeOffset: fc.constantFrom(0, 8, 16),
    }),
    fc.record({
      kind: fc.constantFrom('notify' as const, 'fail' as const),
      args: fc.array(argument(cells), { maxLength: 1 }),
    }),
    fc.record({ kind: fc.constant('reportTo' as const), args: fc.array(argument(cells), { maxLength: 1 }) }),
  );
  return fc.array(op, { minLength: count, maxLength: count }).map((ops) => {
    const built = new Program();
    built.cells.push(...cells);
    built.ops.push(...ops);
    built.call('exit_group', [0]);
    return { program: built, cells };
  });
});

test('random programs survive the round trip', () => {
  fc.assert(
    fc.property(
      builtProgram,
      fc.constantFrom('x64' as const, 'arm64' as const),
      ({ program, cells }, machine) => {
        const tape = assemble(program, { ...OPTIONS, machine });
        assert.equal(validateTape(tape.bytes, tape.cellsSize, machine), undefined);
        const decoded = decodeTape(tape.bytes);
        assert.equal(decoded.ops.length, program.ops.length);
        program.ops.forEach((op, index) => {
          const found = decoded.ops[index]!;
          assert.equal(found.kind, op.kind);
          op.args.forEach((arg, k) => {
            // The second argument of fail and notify's fourth are filled in for a text.
            checkArg(tape, arg, found.args[k]!);
          });
          if (op.kind === 'syscall') {
            assert.equal(syscallName(found.nr, machine), op.name);
            assert.equal(found.store, op.store?.offset);
            const errnos =
              op.tolerate === 'any' ? [0xffff] : (op.tolerate ?? []).map((errno) => ERRNO[errno as 'EIO']);
            assert.deepEqual(found.errnos, errnos);
            if (op.tolerate) assert.equal(found.target, op.goto?.index ?? index + 1);
          } else if (op.kind === 'jump') {
            assert.equal(CONDITIONS[found.nr], op.condition);
            assert.equal(found.target, op.target.index);
          } else if (op.kind === 'set') {
            assert.equal(SET_OPERATORS[found.nr], op.operator);
            assert.equal(found.store, cells[1]!.offset + op.storeOffset);
          }
        });
      },
    ),
    { numRuns: 150 },
  );
});

function checkArg(tape: Tape, arg: Arg, found: { kind: string; value: bigint }): void {
  const offset = (cell: Cell) => BigInt(cell.offset);
  if (typeof arg === 'string') {
    assert.equal(found.kind, 'data');
    assert.equal(stringAt(tape.bytes, found.value), Buffer.from(arg).toString());
  } else if (arg === null || typeof arg === 'number' || typeof arg === 'bigint') {
    assert.deepEqual(found, { kind: 'immediate', value: BigInt.asIntN(64, BigInt(arg ?? 0)) });
  } else if (arg.kind === 'cellValue') {
    assert.deepEqual(found, { kind: 'value', value: offset(arg.cell) + BigInt(arg.offset) });
  } else if (arg.kind === 'cellAddress') {
    assert.deepEqual(found, { kind: 'cell', value: offset(arg.cell) + BigInt(arg.offset) });
  } else if (arg.kind === 'fd') {
    assert.deepEqual(found, { kind: 'immediate', value: BigInt(OPTIONS.fds[arg.name]!) });
  } else if (arg.kind === 'bytes') {
    assert.equal(found.kind, 'data');
    const at = Number(found.value);
    assert.deepEqual(tape.bytes.slice(at, at + arg.bytes.length), arg.bytes.slice());
  } else {
    assert.equal(found.kind, 'data');
    assert.deepEqual(stringArrayAt(tape.bytes, found.value), arg.words.slice(0, -1));
  }
}
