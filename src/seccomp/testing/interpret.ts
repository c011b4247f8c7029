/**
 * What the kernel would do with a filter: an interpreter of classic BPF, for the tests.
 *
 * It knows only what filters consist of, and throws at anything else, as the kernel refuses it
 * (seccomp_check_filter in kernel/seccomp.c).
 *
 * @module
 */

import type { Instruction } from '../bpf.ts';
import { BPF, decode, SECCOMP_DATA } from '../bpf.ts';

/** A system call as a filter sees it, struct seccomp_data. */
export interface Call {
  /** AUDIT_ARCH_*. */
  arch: number;
  nr: number;
  args?: readonly bigint[];
}

const compiled = new WeakMap<Uint8Array, Instruction[]>();

/** The return value of a filter (an action and its data) for a call. */
export function verdict(program: Uint8Array, call: Call): number {
  let code = compiled.get(program);
  if (code === undefined) {
    code = decode(program);
    compiled.set(program, code);
  }
  let a = 0;
  for (let pc = 0; ; pc++) {
    const step = code[pc];
    if (step === undefined) throw new Error(`the filter runs past its end, to ${pc}`);
    const { jt, jf, k } = step;
    switch (step.code) {
      case BPF.LD_ABS:
        a = load(call, k);
        break;
      case BPF.AND:
        a = (a & k) >>> 0;
        break;
      case BPF.JA:
        pc += k;
        break;
      case BPF.JEQ:
        pc += a === k ? jt : jf;
        break;
      case BPF.JGT:
        pc += a > k ? jt : jf;
        break;
      case BPF.JGE:
        pc += a >= k ? jt : jf;
        break;
      case BPF.JSET:
        pc += (a & k) !== 0 ? jt : jf;
        break;
      case BPF.RET:
        return k;
      default:
        throw new Error(`instruction ${pc} has the unknown code 0x${step.code.toString(16)}`);
    }
  }
}

function load({ nr, arch, args = [] }: Call, offset: number): number {
  if (offset === SECCOMP_DATA.NR) return nr >>> 0;
  if (offset === SECCOMP_DATA.ARCH) return arch;
  const index = (offset - SECCOMP_DATA.ARGS) >> 3;
  if (offset % 4 !== 0 || index < 0 || index > 5) throw new Error(`a load from offset ${offset}`);
  const arg = args[index] ?? 0n;
  return Number((offset % 8 === 0 ? arg : arg >> 32n) & 0xffffffffn);
}
