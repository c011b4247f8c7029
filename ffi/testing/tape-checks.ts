/**
 * The engine's writer of tapes against the plain one: the same bytes for random programs, the same errors for mistakes.
 *
 * @module
 */

import { TapeWriter } from '#tape-writer';
import { RuntsError } from '../../src/errors.ts';
import { STACK_SIZE } from '../abi.ts';
import {
  type Arg,
  addressOf,
  bytes,
  type Cell,
  handed,
  type Label,
  type ProgramBuilder,
  stringArray,
  valueIn,
  words,
} from '../program.ts';
import type { SyscallName } from '../syscalls.ts';
import type { Tape, TapeDescriptors } from '../tape-operations.ts';
import { TapeWriter as PlainTapeWriter } from '../tape-writer.ts';
import type { Check } from './check.ts';

const DESCRIPTORS: TapeDescriptors = { fds: { rootfs: 5, cgroup: 6 }, reportFd: 3 };
const PROGRAMS = 300;
const OPERATIONS = 60;

type Writer = ProgramBuilder & { finish(descriptors: TapeDescriptors): Tape };

/** Numbers that are the same in every run: xorshift32. */
function numbers(seed: number): (below: number) => number {
  let state = seed * 2654435761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const STRINGS = [
  '',
  '/',
  'proc',
  '/proc',
  'a rather long path/with/several/parts',
  'grüße',
  '日本語',
  '😀',
  'a\ud800b',
];
const INTEGERS = [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 40, -(2 ** 40), 2 ** 53 - 1];
const BIG = [0n, -1n, 2n ** 33n, 2n ** 63n, -(2n ** 63n), 2n ** 64n - 1n];
const CALLS: readonly SyscallName[] = ['mount', 'openat2', 'close', 'clone3', 'prctl'];
const ERRNOS = [['EIO'], ['EBUSY', 'EOPNOTSUPP', 'EACCES', 'ENOENT'], 'any', undefined] as const;

/** Appends the operations that the seed says. */
function build(program: ProgramBuilder, seed: number): void {
  const next = numbers(seed);
  const one = <T>(list: readonly T[]): T => list[next(list.length)]!;
  const cells: Cell[] = [program.cell('a'), program.cell('b', 20), program.cell('c', 8)];
  const labels: Label[] = [program.label('first'), program.label('second'), program.label('third')];
  const shared = words('shared', [1, 'proc', handed('cgroup'), addressOf(cells[1]!, 3), -5, 2n ** 63n]);
  const constants = [
    shared,
    words('outer', [shared, bytes(Uint8Array.of(1, 2, 3)), 'text', 0, 2 ** 40]),
    stringArray(['proc', '', 'grüße']),
    stringArray([]),
    bytes(Uint8Array.of(9, 8, 7)),
    bytes(new Uint8Array(next(3000))),
  ];
  const arg = (): Arg => {
    const kind = next(9);
    if (kind === 0) return one(INTEGERS);
    if (kind === 1) return one(BIG);
    if (kind === 2) return null;
    if (kind === 3) return valueIn(one(cells));
    if (kind === 4) return addressOf(one(cells), next(8));
    if (kind === 5) return handed(one(['rootfs', 'cgroup']));
    if (kind === 6) return one(constants);
    return next(3) === 0 ? `${one(STRINGS)}${next(400)}` : one(STRINGS);
  };
  for (let i = 0; i < OPERATIONS; i++) {
    const kind = next(12);
    if (kind === 0) program.jump(one(labels));
    else if (kind === 1)
      program.jumpIf(arg(), one(['==', '!=', '<', '>=', '&'] as const), arg(), one(labels));
    else if (kind === 2)
      program.set(cells[1]!, arg(), one(['', '+', '&', '|', '<<', '>>'] as const), arg(), 8);
    else if (kind === 3) program.notify(next(9), arg(), one(STRINGS), 0);
    else if (kind === 4) program.fail(one(STRINGS), 0, next(40));
    else if (kind === 5) program.reportTo(arg());
    else {
      const tolerate = one(ERRNOS);
      const goto = tolerate !== undefined && next(2) === 0 ? one(labels) : undefined;
      const store = next(3) === 0 ? one(cells) : undefined;
      const call = program.call as (name: SyscallName, args: readonly Arg[], options?: object) => void;
      const name = one(CALLS);
      const args = [arg(), arg()].slice(0, name === 'close' ? 1 : 2);
      call.call(program, name, args, next(4) === 0 ? undefined : { tolerate, goto, store, note: 'why' });
    }
    if (next(20) === 0) program.place(one(labels));
  }
  for (const label of labels) program.place(label);
  program.call('exit_group', [0]);
}

/** Bytes or text, to compare. */
function outcome(writer: Writer, write: (program: ProgramBuilder) => void): string {
  try {
    write(writer);
    const { bytes: tape, cellsSize } = writer.finish(DESCRIPTORS);
    return `${cellsSize}: ${tape.join()}`;
  } catch (error) {
    return error instanceof RuntsError
      ? `${error.code} ${error.message} ${error.details.field}`
      : String(error);
  }
}

function compare(what: string, write: (program: ProgramBuilder) => void): string {
  const [ours, plain] = [outcome(new TapeWriter('x64'), write), outcome(new PlainTapeWriter('x64'), write)];
  if (ours === plain) return ours;
  let at = 0;
  while (ours[at] === plain[at]) at++;
  const around = (text: string): string => text.slice(Math.max(0, at - 30), at + 60);
  throw new Error(`${what}: "${around(ours)}" instead of "${around(plain)}"`);
}

/** What a planner must not do, and what a config may make it do. */
const MISTAKES: readonly ((program: ProgramBuilder) => void)[] = [
  (p) => p.within('mounts[1]', () => p.call('mount', ['a\0b'])),
  (p) => p.within('process.args', () => p.call('execve', ['a', stringArray(['x', 'a\0b'])])),
  (p) => p.notify(1, 2, 'a\0b'),
  (p) => p.call('close', [0.5]),
  (p) => p.call('close', [Number.NaN]),
  (p) => p.call('close', [2 ** 53]),
  (p) => p.call('close', [-(2 ** 53)]),
  (p) => p.call('close', [2n ** 64n]),
  (p) => p.call('close', [-(2n ** 63n) - 1n]),
  (p) => p.call('close', [1, 2] as unknown as [number]),
  (p) => p.call('chdir', ['x'], { goto: p.label('gone') }),
  (p) => p.call('chdir', ['x'], { tolerate: [] }),
  (p) => p.call('chdir', ['x'], { tolerate: ['ENONE'] }),
  (p) => p.call('chdir', ['x'], { tolerate: ['EIO', 'EPERM', 'EACCES', 'EBUSY', 'ELOOP'] }),
  (p) => p.call('close', [valueIn(new PlainTapeWriter('x64').cell('other'))]),
  (p) => p.call('close', [valueIn(p.cell('fd'), 8)]),
  (p) => p.call('close', [valueIn(p.cell('fd', 16), 4)]),
  (p) => p.call('read', [0, addressOf(p.cell('fd'), -1)]),
  (p) => p.set(p.cell('c', 16), 1, '', 0, 16),
  (p) => p.within('linux.devices[0]', () => p.set(p.cell('c'), 0.5)),
];

export const TAPE_CHECKS: readonly Check[] = [
  [
    'the engine writes the tape that the plain writer writes',
    () => {
      for (let seed = 1; seed <= PROGRAMS; seed++) {
        const tape = compare(`program ${seed}`, (program) => build(program, seed));
        if (!tape.startsWith(`${STACK_SIZE + 40}: `)) throw new Error(`program ${seed}: ${tape}`);
      }
    },
  ],
  [
    'what can’t be on a tape is told by the same error',
    () => {
      MISTAKES.forEach((write, i) => {
        const error = compare(`mistake ${i}`, write);
        if (!/^E_/.test(error)) throw new Error(`mistake ${i}: ${error}`);
      });
    },
  ],
  [
    'a label or a descriptor that is missing at the end is an error',
    () => {
      for (const write of [
        (p: ProgramBuilder) => p.jump(p.label('nowhere')),
        (p: ProgramBuilder) => p.call('close', [handed('nothing')]),
      ]) {
        const error = outcome(new TapeWriter('x64'), write);
        if (!/^E_INTERNAL tape: /.test(error)) throw new Error(error);
      }
    },
  ],
  [
    'a tape that was not finished is given back',
    () => {
      for (let i = 0; i < 2000; i++) build(new TapeWriter('arm64'), 1);
    },
  ],
];
