/**
 * The record of what commands may take, test/budget.json: written, read, compared.
 *
 * @module
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Counts by name; the names say what is counted. */
export type Counts = Record<string, number>;

/** Counts by what they are of, e.g. a command, by section, e.g. `calls on bun`. */
export type Budgets = Record<string, Record<string, Counts>>;

/** The file of the record. */
export const FILE = join(import.meta.dirname, '../../budget.json');

/** How to renew it, for messages. */
export const RENEWAL = 'RUNTS_UPDATE_BUDGET=1 npm test -- test/budget.test.ts';

/** Whether this run renews the record. */
export const renewing: boolean = process.env.RUNTS_UPDATE_BUDGET === '1';

/**
 * What a renewal adds to a measured count: what differs between machines and runs, and for bytes, what a usual change
 * costs, so that not every commit has to renew the record.
 */
const ALLOWANCES: Readonly<Record<string, (measured: number) => number>> = {
  engine: (n) => Math.ceil(n * 0.1),
  engineFiles: () => 3,
  // More processors, more of the engine's threads.
  threads: () => 2,
  // How often something waits depends on who is faster.
  plan: (n) => Math.max(2, Math.ceil(n * 0.05)),
  host: (n) => Math.max(3, Math.ceil(n * 0.05)),
  files: () => 1,
  // Masked paths and capabilities are the kernel's.
  executor: (n) => Math.ceil(n * 0.02),
  // A page more of a tape.
  kilobytes: () => 4,
  modules: (n) => Math.ceil(n * 0.02),
  bytes: (n) => Math.ceil(n * 0.02),
};

function allowance(name: string, measured: number): number {
  return ALLOWANCES[name]?.(measured) ?? 0;
}

/** The record; empty when there is none. */
export function readRecord(): Budgets {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Budgets) : {};
}

/** A line a row, so that a change is one line of a diff. */
export function formatRecord(record: Budgets): string {
  const sections = Object.entries(record).map(([section, rows]) => {
    const lines = Object.entries(rows).map(([row, counts]) => {
      const members = Object.entries(counts).map(([name, n]) => `${JSON.stringify(name)}: ${n}`);
      return `    ${JSON.stringify(row)}: { ${members.join(', ')} }`;
    });
    return `  ${JSON.stringify(section)}: {\n${lines.join(',\n')}\n  }`;
  });
  return `{\n${sections.join(',\n')}\n}\n`;
}

/** Measured counts as budgets. One that still fits stays as it is, so that a renewal changes what has changed. */
export function budgetsOf(
  measured: Record<string, Counts>,
  before: Record<string, Counts> = {},
): Record<string, Counts> {
  return mapCounts(measured, (n, row, name) => {
    const room = allowance(name, n);
    const old = before[row]?.[name];
    return old !== undefined && fits(n, old, room) ? old : n + room;
  });
}

function mapCounts(
  rows: Record<string, Counts>,
  change: (n: number, row: string, name: string) => number,
): Record<string, Counts> {
  const result: Record<string, Counts> = {};
  for (const [row, counts] of Object.entries(rows)) {
    const changed = Object.entries(counts).map(([name, n]) => [name, change(n, row, name)]);
    result[row] = Object.fromEntries(changed);
  }
  return result;
}

/** Neither beyond the budget nor so far below that the record should follow. */
function fits(n: number, budget: number, room: number): boolean {
  return n <= budget && budget <= n + (room === 0 ? 0 : 2 * room + 2);
}

/** Puts a section into the record, in alphabetical order; the others stay. */
export function renewSection(section: string, measured: Record<string, Counts>): void {
  const before = readRecord();
  const record = { ...before, [section]: budgetsOf(measured, before[section]) };
  const sorted = Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(FILE, formatRecord(Object.fromEntries(sorted)));
}

/**
 * What is wrong: counts beyond their budgets, and what the record does not have.
 *
 * @returns one line each
 */
export function excesses(
  budgets: Record<string, Counts> | undefined,
  measured: Record<string, Counts>,
): string[] {
  if (budgets === undefined) return ['the record has no such section'];
  const problems: string[] = [];
  for (const [row, counts] of Object.entries(measured)) {
    for (const [name, n] of Object.entries(counts)) {
      const budget = budgets[row]?.[name];
      if (budget === undefined) problems.push(`${row}: ${name}: ${n}, and the record has no budget`);
      else if (n > budget) problems.push(`${row}: ${name}: ${n}, and the budget is ${budget}`);
    }
  }
  for (const row of Object.keys(budgets)) {
    if (measured[row] === undefined) problems.push(`${row}: is in the record, and there is no such thing`);
  }
  return problems;
}

/** Counts that are so far below their budgets that the record should follow; one line each. */
export function savings(budgets: Record<string, Counts>, measured: Record<string, Counts>): string[] {
  return Object.entries(measured).flatMap(([row, counts]) =>
    Object.entries(counts).flatMap(([name, n]) => {
      const budget = budgets[row]?.[name] ?? n;
      const saved = n < budget && !fits(n, budget, allowance(name, n));
      return saved ? [`${row}: ${name}: ${n} of ${budget}`] : [];
    }),
  );
}

/** The least of each count: what is beyond it is the machine's doing. */
export function least(trials: readonly Record<string, Counts>[]): Record<string, Counts> {
  const result: Record<string, Counts> = {};
  for (const trial of trials) {
    for (const [row, counts] of Object.entries(trial)) {
      const before = result[row] ?? {};
      const merged = Object.entries(counts).map(([name, n]) => [name, Math.min(n, before[name] ?? n)]);
      result[row] = { ...before, ...Object.fromEntries(merged) };
    }
  }
  return result;
}
