/**
 * An assembler for classic BPF: jumps go to labels, and only forward, as the kernel demands.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import type { Instruction } from './bpf.ts';
import { BPF } from './bpf.ts';

/** A place in the program; {@link Assembler.place} says where. */
export interface Label {
  index: number;
}

/** Farthest target of a conditional jump: jt and jf are bytes. */
const FARTHEST = 255;

interface Draft {
  code: number;
  k: number;
  /** Where a conditional jump goes when it holds and when it doesn't; null is the next instruction. */
  yes: Label | null;
  no: Label | null;
}

/** A program under construction, in order. */
export class Assembler {
  readonly #drafts: Draft[] = [];

  get length(): number {
    return this.#drafts.length;
  }

  label(): Label {
    return { index: -1 };
  }

  place(label: Label): void {
    label.index = this.#drafts.length;
  }

  /** Loads a word of struct seccomp_data. */
  load(offset: number): void {
    this.#add(BPF.LD_ABS, offset);
  }

  and(mask: number): void {
    this.#add(BPF.AND, mask);
  }

  /** Ends with an action. */
  answer(action: number): void {
    this.#add(BPF.RET, action);
  }

  goto(target: Label): void {
    this.#add(BPF.JA, 0, target);
  }

  /** Compares what was loaded; `yes` and `no` must be near, and null goes on with the next instruction. */
  branch(code: number, k: number, yes: Label | null, no: Label | null): void {
    this.#add(code, k, yes, no);
  }

  /** Goes to a label of any distance when the comparison holds. */
  gotoIf(code: number, k: number, target: Label): void {
    const next = this.label();
    this.#add(code, k, null, next);
    this.goto(target);
    this.place(next);
  }

  /** Goes to a label of any distance unless the comparison holds. */
  gotoUnless(code: number, k: number, target: Label): void {
    const next = this.label();
    this.#add(code, k, next, null);
    this.goto(target);
    this.place(next);
  }

  /** The program. A label at its end is where whatever is appended to it begins. */
  finish(): Instruction[] {
    return this.#drafts.map(({ code, k, yes, no }, index) => {
      const distance = (target: Label | null): number => (target === null ? 0 : target.index - index - 1);
      if (code === BPF.JA) return { code, jt: 0, jf: 0, k: checked(distance(yes), Number.MAX_SAFE_INTEGER) };
      return { code, jt: checked(distance(yes), FARTHEST), jf: checked(distance(no), FARTHEST), k };
    });
  }

  #add(code: number, k: number, yes: Label | null = null, no: Label | null = null): void {
    this.#drafts.push({ code, k, yes, no });
  }
}

function checked(distance: number, farthest: number): number {
  if (distance >= 0 && distance <= farthest) return distance;
  throw new RuntsError('E_INTERNAL', `seccomp: a jump over ${distance} instructions`);
}
