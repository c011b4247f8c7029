/**
 * What differs between two outcomes of one config, and what of it is known.
 *
 * @module
 */
import type { TestSpec } from '../../test/harness/config.ts';
import { differences } from '../../test/support/probe.ts';
import type { Outcome } from './side.ts';

/** A difference that is meant, with the reason. */
export interface Known {
  /** Names it in the results. */
  readonly name: string;
  /** From which runtime. */
  readonly from: 'runc' | 'crun';
  /**
   * Who is right: `runts` (the specification or its newer version says so), `free` (the specification leaves it open),
   * `other`: runts can't do otherwise.
   */
  readonly right: 'runts' | 'free' | 'other';
  readonly why: string;
  /** Which lines of {@link differences}: `runts| section: line` or `other| section: line`. */
  readonly lines: RegExp;
  /** In which configs only. */
  readonly when?: (spec: TestSpec) => boolean;
}

/** What two outcomes don't have in common. A container that did not come up differs in that alone. */
export function differencesOf(runts: Outcome, other: Outcome): string[] {
  if (!runts.ran && !other.ran) return [];
  if (!runts.ran) return [`runts| refused: ${runts.message}`];
  if (!other.ran) return [`other| refused: ${other.message}`];
  return differences(runts.lines, other.lines);
}

export interface Verdict {
  readonly unknown: readonly string[];
  readonly known: readonly Known[];
}

/** Sorts differences from a runtime. */
export function judge(
  from: string,
  table: readonly Known[],
  spec: TestSpec,
  found: readonly string[],
): Verdict {
  const fitting = table.filter((entry) => entry.from === from && (entry.when?.(spec) ?? true));
  const known = new Set<Known>();
  const unknown = found.filter((line) => {
    const entry = fitting.find(({ lines }) => lines.test(line));
    if (entry !== undefined) known.add(entry);
    return entry === undefined;
  });
  return { unknown, known: [...known] };
}
