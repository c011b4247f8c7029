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
  /** From which runtimes. */
  readonly from: readonly string[];
  /** What the specification says: `runts`: as runts does; `free`: nothing, each may do as it likes. */
  readonly right: 'runts' | 'free';
  readonly why: string;
  /**
   * Which lines: `runts| section: line` or `other| section: line`. Where it depends on the config, undefined when it
   * can't be in this one.
   */
  readonly lines: RegExp | ((spec: TestSpec) => RegExp | undefined);
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
  const fitting = table.flatMap((entry) => {
    const lines = typeof entry.lines === 'function' ? entry.lines(spec) : entry.lines;
    return entry.from.includes(from) && lines !== undefined ? [{ entry, lines }] : [];
  });
  const known = new Set<Known>();
  const unknown = found.filter((line) => {
    const fit = fitting.find(({ lines }) => lines.test(line));
    if (fit !== undefined) known.add(fit.entry);
    return fit === undefined;
  });
  return { unknown, known: [...known] };
}
