/**
 * Classic BPF as seccomp(2) takes it: instructions as numbers and as bytes.
 *
 * A `struct sock_filter` is { u16 code; u8 jt; u8 jf; u32 k }, linux/filter.h; all machines that runts runs on are
 * little endian.
 *
 * @module
 */

/** Operation codes that filters are made of, linux/bpf_common.h. */
export const BPF = {
  /** A = the 32-bit word of struct seccomp_data at k. */
  LD_ABS: 0x20,
  /** Goes on k instructions further. */
  JA: 0x05,
  /** A == k, A > k, A >= k, A & k: goes on jt or jf instructions further. */
  JEQ: 0x15,
  JGT: 0x25,
  JGE: 0x35,
  JSET: 0x45,
  /** Ends with k. */
  RET: 0x06,
  /** A &= k. */
  AND: 0x54,
} as const;

/** Offsets in struct seccomp_data, linux/seccomp.h. The low half of argument n is at ARGS + 8n. */
export const SECCOMP_DATA = { NR: 0, ARCH: 4, ARGS: 16 } as const;

export const INSTRUCTION_SIZE = 8;

/** Most instructions of a filter (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4096;

export interface Instruction {
  code: number;
  /** How many instructions are left out when the condition holds, and when it doesn't. */
  jt: number;
  jf: number;
  k: number;
}

/** An instruction without or with a jump. */
export function instruction(code: number, k: number, jt = 0, jf = 0): Instruction {
  return { code, jt, jf, k };
}

/** As bytes, in the order of the array. */
export function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer);
  instructions.forEach(({ code, jt, jf, k }, index) => {
    const at = index * INSTRUCTION_SIZE;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  });
  return bytes;
}

/** The inverse of {@link encode}. */
export function decode(bytes: Uint8Array): Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / INSTRUCTION_SIZE }, (_, index) => {
    const at = index * INSTRUCTION_SIZE;
    const jumps = { jt: view.getUint8(at + 2), jf: view.getUint8(at + 3) };
    return { code: view.getUint16(at, true), ...jumps, k: view.getUint32(at + 4, true) };
  });
}
