/**
 * The suite's results as a table.
 *
 * @module
 */
import { type Count, table } from '../results.ts';
import { KNOWN } from './known.ts';
import { type Runtime, versionOf } from './suite.ts';
import type { Outcome } from './tap.ts';

export type Place = 'host' | 'vm';

/** Outcome by program and runtime. */
export type Cells = Readonly<Record<string, Readonly<Record<string, Outcome>>>>;

/** Earlier results with newer ones in their place, in the order of the suite's programs. */
export function mergeCells(programs: readonly string[], earlier: Cells, newer: Cells): Cells {
  const has = (name: string) => earlier[name] !== undefined || newer[name] !== undefined;
  return Object.fromEntries(programs.filter(has).map((name) => [name, { ...earlier[name], ...newer[name] }]));
}

function runtimesOf(cells: Cells): string[] {
  return [...new Set(Object.values(cells).flatMap((byRuntime) => Object.keys(byRuntime)))];
}

export function countsOf(place: Place, cells: Cells): Count[] {
  return runtimesOf(cells).map((name) => {
    const outcomes = Object.values(cells).flatMap((byRuntime) => byRuntime[name] ?? []);
    const number = (verdict: string) => outcomes.filter((outcome) => outcome.verdict === verdict).length;
    return {
      what: `validation suite, ${place === 'vm' ? 'VM' : 'host'}: ${name}`,
      cases: outcomes.length,
      passes: number('pass'),
      skips: number('skip'),
    };
  });
}

function cell(outcome: Outcome | undefined): string {
  if (outcome === undefined) return '';
  const { verdict, passed, failed, skipped } = outcome;
  const total = passed + failed + skipped;
  return total === 0 ? verdict : `${verdict} (${passed}/${total})`;
}

/** The table with an explanation of every failure of runts. */
export function resultText(place: Place, runtimes: readonly Runtime[], cells: Cells): string {
  const names = runtimesOf(cells);
  const rows = Object.entries(cells).map(([program, byRuntime]) => {
    const failed = byRuntime.runts !== undefined && byRuntime.runts.verdict !== 'pass';
    const why = failed ? (KNOWN[program]?.reason ?? byRuntime.runts!.reason) : '';
    return [program, ...names.map((name) => cell(byRuntime[name])), why];
  });
  const used = runtimes.map(({ name, path, cgroups }) => {
    const layout = place === 'vm' || cgroups === 'host' ? '' : `, cgroup ${cgroups} only`;
    return `${versionOf(path) || name}${layout}`;
  });
  return [
    `Assertions that hold, of all, are in brackets; a program without assertions prints only errors. Compared: ${used.join('; ')}.`,
    table(['program', ...names, 'why it fails for runts'], rows),
  ].join('\n\n');
}
