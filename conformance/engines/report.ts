/**
 * An engine's results as a table.
 *
 * @module
 */
import { type Count, table } from '../results.ts';
import type { Engine, Place } from './engine.ts';

export interface Outcome {
  readonly verdict: 'pass' | 'fail' | 'skip';
  /** Of a failure or skip, one line. */
  readonly reason: string;
}

/** An assertion's message can hold both values: one line of it. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 500);
}

/** Outcome by case and runtime. */
export type Cells = Readonly<Record<string, Readonly<Record<string, Outcome>>>>;

/** Earlier results with newer ones in their place, in the order of the cases; those of cases that are gone are left out. */
export function mergeCells(cases: readonly string[], earlier: Cells, newer: Cells): Cells {
  const has = (name: string) => earlier[name] !== undefined || newer[name] !== undefined;
  return Object.fromEntries(cases.filter(has).map((name) => [name, { ...earlier[name], ...newer[name] }]));
}

function runtimesOf(cells: Cells): string[] {
  return [...new Set(Object.values(cells).flatMap((byRuntime) => Object.keys(byRuntime)))];
}

export function countsOf(title: string, place: Place, cells: Cells): Count[] {
  return runtimesOf(cells).map((name) => {
    const outcomes = Object.values(cells).flatMap((byRuntime) => byRuntime[name] ?? []);
    const number = (verdict: string) => outcomes.filter((outcome) => outcome.verdict === verdict).length;
    return {
      what: `${title}, ${place === 'vm' ? 'VM' : 'host'}: ${name}`,
      cases: outcomes.length,
      passes: number('pass'),
      skips: number('skip'),
    };
  });
}

/** What a part keeps for the next run. */
export interface Kept {
  /** What the engine and the runtimes say of themselves, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly cells: Cells;
}

/** A row for each case, with the reason of everything that didn't pass. */
export function cellTable(engine: Engine<unknown>, cells: Cells): string {
  const names = runtimesOf(cells);
  const rows = Object.entries(cells).map(([name, byRuntime]) => {
    const known = engine.cases.find((one) => one.name === name)?.known;
    const why = names.flatMap((each) => {
      const { verdict = 'pass', reason = '' } = byRuntime[each] ?? {};
      if (verdict === 'pass') return [];
      return [(verdict === 'fail' && each === 'runts' && known) || `${each}: ${reason}`];
    });
    return [name, ...names.map((each) => byRuntime[each]?.verdict ?? ''), why.join(' ')];
  });
  return table(['case', ...names, 'why'], rows);
}

/** The part's text: how it was run, and the table. */
export function resultText(engine: Engine<unknown>, place: Place, { versions, cells }: Kept): string {
  const used = [engine.name, ...runtimesOf(cells)].flatMap((name) => versions[name] ?? []);
  return `${engine.note[place]} Used: ${used.join('; ')}.\n\n${cellTable(engine, cells)}`;
}

/** What is wrong with the results for runts, a line each. */
export function complaints(engine: Engine<unknown>, cells: Cells): string[] {
  return Object.entries(cells).flatMap(([name, { runts, ...others }]) => {
    if (runts?.verdict !== 'fail') return [];
    const passing = Object.keys(others).filter((other) => others[other]?.verdict === 'pass');
    if (passing.length > 0)
      return [`${name}: fails, and passes for ${passing.join(' and ')}: ${runts.reason}`];
    const known = engine.cases.find((one) => one.name === name)?.known;
    return known === undefined ? [`${name}: fails without an explanation: ${runts.reason}`] : [];
  });
}
