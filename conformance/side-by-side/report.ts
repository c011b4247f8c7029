/**
 * What a run found, counted, for people and for results.md.
 *
 * @module
 */
import { type Count, type Part, table } from '../results.ts';
import { versionOf } from '../runtime-tools/suite.ts';
import { KNOWN } from './known.ts';
import type { Comparison, Sides } from './run.ts';

/** One runtime's comparisons. */
export function comparedWith(found: readonly Comparison[], name: string): Comparison[] {
  return found.filter(({ from }) => from === name);
}

/** Those that differ in what no entry of known.ts explains. */
export function failuresOf(found: readonly Comparison[]): Comparison[] {
  return found.filter(({ unknown }) => unknown.length > 0);
}

function countsOf(found: readonly Comparison[], names: readonly string[]): Count[] {
  return names.map((name) => {
    const own = comparedWith(found, name);
    return {
      what: `random configs: runts as ${name}`,
      cases: own.length,
      passes: own.length - failuresOf(own).length,
    };
  });
}

/** "runts as runc: 500 configs, 210 the same, 270 with known differences, 20 refused by both, 0 differ". */
export function summary(found: readonly Comparison[], name: string): string {
  const own = comparedWith(found, name);
  const count = (fits: (one: Comparison) => boolean): number => own.filter(fits).length;
  const parts = [
    `${own.length} configs`,
    `${count(({ ran, unknown, known }) => ran !== 'none' && unknown.length + known.length === 0)} the same`,
    `${count(({ unknown, known }) => unknown.length === 0 && known.length > 0)} with known differences`,
    `${count(({ ran }) => ran === 'none')} refused by both`,
    `${failuresOf(own).length} differ`,
  ];
  return `runts as ${name}: ${parts.join(', ')}`;
}

/** For results/. */
export function partOf(seed: number, sides: Sides, found: readonly Comparison[]): Part {
  const names = sides.others.map(({ runtime }) => runtime.name);
  const rows = KNOWN.flatMap((entry) =>
    entry.from
      .filter((name) => names.includes(name))
      .map((name) => {
        const number = comparedWith(found, name).filter(({ known }) => known.includes(entry)).length;
        return [name, entry.why, entry.right === 'runts' ? 'as runts does' : 'nothing', String(number)];
      }),
  );
  const versions = sides.others.map(({ runtime }) => versionOf(runtime.command[0]!));
  return {
    name: 'side-by-side',
    title: 'Random configs, side by side',
    counts: countsOf(found, names),
    text: [
      `Seed ${seed}. What containers see of themselves, line by line, beside ${versions.join(' and ')}.`,
      names.map((name) => `- ${summary(found, name)}`).join('\n'),
      'What is known to differ, what the specification says of it, and in how many configs it was met:',
      table(['from', 'what', 'specification', 'configs'], rows),
    ].join('\n\n'),
  };
}
