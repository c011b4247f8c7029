/**
 * Runs device programs as the kernel would, for tests: the few instructions that program.ts makes.
 *
 * @module
 */

import { CONTEXT, DEVICE_TYPE, type Instruction, OP } from './program.ts';

/** An attempt to use a device. */
export interface DeviceAccess {
  type: 'b' | 'c';
  major: number;
  minor: number;
  /** A set of ACCESS. */
  access: number;
}

/** @returns whether the program allows it */
export function interpret(program: readonly Instruction[], attempt: DeviceAccess): boolean {
  const context: Record<number, number> = {
    [CONTEXT.ACCESS_TYPE]: ((attempt.access << 16) | DEVICE_TYPE[attempt.type]) >>> 0,
    [CONTEXT.MAJOR]: attempt.major,
    [CONTEXT.MINOR]: attempt.minor,
  };
  const registers = new Uint32Array(11);
  const written = new Set<number>([1]);
  const value = (register: number): number => {
    if (!written.has(register)) throw new Error(`r${register} is read before it is written`);
    return registers[register]!;
  };
  const set = (register: number, to: number): void => {
    registers[register] = to;
    written.add(register);
  };
  for (let at = 0, steps = 0; ; at++, steps++) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error(`ran out of the program at ${at}`);
    if (steps > program.length) throw new Error('loops');
    const { code, dst, src, offset, immediate } = instruction;
    if (offset < 0) throw new Error('jumps back');
    switch (code) {
      case OP.LOAD_U32:
        if (src !== 1) throw new Error('loads from elsewhere than the context');
        set(dst, context[offset]!);
        break;
      case OP.MOVE_IMMEDIATE:
        set(dst, immediate);
        break;
      case OP.MOVE:
        set(dst, value(src));
        break;
      case OP.AND_IMMEDIATE:
        set(dst, value(dst) & immediate);
        break;
      case OP.SHIFT_RIGHT_IMMEDIATE:
        set(dst, value(dst) >>> immediate);
        break;
      case OP.JUMP_NOT_EQUAL_IMMEDIATE:
        if (value(dst) !== immediate >>> 0) at += offset;
        break;
      case OP.JUMP_EQUAL_IMMEDIATE:
        if (value(dst) === immediate >>> 0) at += offset;
        break;
      case OP.JUMP:
        at += offset;
        break;
      case OP.EXIT:
        return value(0) === 1;
      default:
        throw new Error(`unknown instruction ${code.toString(16)}`);
    }
  }
}

const JUMPS: readonly number[] = [OP.JUMP, OP.JUMP_EQUAL_IMMEDIATE, OP.JUMP_NOT_EQUAL_IMMEDIATE];

/** Instructions that no way leads to: the kernel's verifier refuses a program with one. */
export function unreachable(program: readonly Instruction[]): number[] {
  const reached = new Set<number>();
  const open = [0];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (reached.has(at)) continue;
    reached.add(at);
    const { code, offset } = program[at]!;
    if (code === OP.EXIT) continue;
    if (code !== OP.JUMP) open.push(at + 1);
    if (JUMPS.includes(code)) open.push(at + 1 + offset);
  }
  return program.map((_, index) => index).filter((index) => !reached.has(index));
}
