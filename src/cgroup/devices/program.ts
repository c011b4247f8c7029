/**
 * Device rules as an eBPF program of the type BPF_PROG_TYPE_CGROUP_DEVICE.
 *
 * The kernel runs it for each attempt to open or make a device node, with a struct bpf_cgroup_dev_ctx of three u32:
 * access_type (the kinds of access above bit 16, the type below), major, minor. 1 allows, 0 denies with EPERM.
 *
 * @see linux/bpf.h; the kernel's Documentation/bpf/standardization/instruction-set.rst
 * @module
 */

import { type DeviceRule, matchesAll } from './rules.ts';

/** One instruction: struct bpf_insn. */
export interface Instruction {
  code: number;
  dst: number;
  src: number;
  /** Of memory, or of a jump in instructions after the next one. */
  offset: number;
  immediate: number;
}

/** struct bpf_cgroup_dev_ctx. */
export const CONTEXT = { ACCESS_TYPE: 0, MAJOR: 4, MINOR: 8 } as const;

/** BPF_DEVCG_DEV_* in linux/bpf.h. */
export const DEVICE_TYPE = { b: 1, c: 2 } as const;

/** Operation codes: class, source and operation in one byte. The 32-bit ones (Linux 5.1 for jumps) clear the rest. */
export const OP = {
  /** dst = *(u32 *)(src + offset) */
  LOAD_U32: 0x61,
  MOVE_IMMEDIATE: 0xb4,
  MOVE: 0xbc,
  AND_IMMEDIATE: 0x54,
  SHIFT_RIGHT_IMMEDIATE: 0x74,
  JUMP_NOT_EQUAL_IMMEDIATE: 0x56,
  JUMP_EQUAL_IMMEDIATE: 0x16,
  JUMP: 0x05,
  EXIT: 0x95,
} as const;

// r0 is the result, r1 points to the context. The rest by use:
const RESULT = 0;
const CTX = 1;
const TYPE = 2;
/** The kinds of access that are asked for and not yet granted. */
const WANTED = 3;
const MAJOR = 4;
const MINOR = 5;
const SCRATCH = 6;

const instruction = (code: number, dst = 0, immediate = 0, src = 0, offset = 0): Instruction => ({
  code,
  dst,
  src,
  offset,
  immediate,
});

/**
 * Compiles rules: from the last to the first, each grants or refuses the kinds of access that it names and that no
 * later rule has decided on. Allowed is what is granted as a whole.
 */
export function deviceProgram(rules: readonly DeviceRule[]): Instruction[] {
  const program = [
    instruction(OP.LOAD_U32, TYPE, 0, CTX, CONTEXT.ACCESS_TYPE),
    instruction(OP.MOVE, WANTED, 0, TYPE),
    instruction(OP.AND_IMMEDIATE, TYPE, 0xffff),
    instruction(OP.SHIFT_RIGHT_IMMEDIATE, WANTED, 16),
    instruction(OP.LOAD_U32, MAJOR, 0, CTX, CONTEXT.MAJOR),
    instruction(OP.LOAD_U32, MINOR, 0, CTX, CONTEXT.MINOR),
  ];
  for (const rule of [...rules].reverse()) {
    program.push(...compileRule(rule));
    // The verifier refuses instructions that can't be reached.
    if (matchesAll(rule)) return program;
  }
  return [...program, ...verdict(false)];
}

function verdict(allowed: boolean): Instruction[] {
  return [instruction(OP.MOVE_IMMEDIATE, RESULT, allowed ? 1 : 0), instruction(OP.EXIT)];
}

/**
 * Conditions, each followed by a jump to the next rule, then what the rule does.
 *
 * The verifier follows the way without the jump first. Here that is the one on which nothing is known of the device,
 * so that all it finds later is a special case of what it has seen, and its time is linear: with the conditions the
 * other way round, a thousand rules take it most of a minute.
 */
function compileRule(rule: DeviceRule): Instruction[] {
  const body = matchesAll(rule) ? verdict(rule.allow) : effect(rule);
  const conditions: [register: number, value: number][] = [];
  if (rule.type !== 'a') conditions.push([TYPE, DEVICE_TYPE[rule.type]]);
  if (rule.major !== null) conditions.push([MAJOR, rule.major]);
  if (rule.minor !== null) conditions.push([MINOR, rule.minor]);
  const jumps = conditions.flatMap(([register, value], index) => [
    instruction(OP.JUMP_EQUAL_IMMEDIATE, register, value | 0, 0, 1),
    instruction(OP.JUMP, 0, 0, 0, 2 * (conditions.length - index - 1) + body.length),
  ]);
  return [...jumps, ...body];
}

function effect({ allow, access }: DeviceRule): Instruction[] {
  const end = verdict(allow);
  if (!allow) {
    return [
      instruction(OP.MOVE, SCRATCH, 0, WANTED),
      instruction(OP.AND_IMMEDIATE, SCRATCH, access),
      instruction(OP.JUMP_EQUAL_IMMEDIATE, SCRATCH, 0, 0, end.length),
      ...end,
    ];
  }
  return [
    instruction(OP.AND_IMMEDIATE, WANTED, ~access),
    instruction(OP.JUMP_NOT_EQUAL_IMMEDIATE, WANTED, 0, 0, end.length),
    ...end,
  ];
}

/** The program as the kernel takes it: 8 bytes an instruction, little-endian as every machine that runts is for. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const words = new Int32Array(program.length * 2);
  let at = 0;
  for (const { code, dst, src, offset, immediate } of program) {
    words[at++] = code | (dst << 8) | (src << 12) | (offset << 16);
    words[at++] = immediate;
  }
  return new Uint8Array(words.buffer);
}
