/**
 * The result of a run: what the table, the chart and the JSON file show.
 *
 * @module
 */

import type { Machine } from './machine.ts';
import type { Figure } from './measures.ts';
import type { MemoryFigure } from './memory.ts';
import { seededRandom } from './random.ts';
import { medianRatio, type Ratio, type Summary, summarize } from './stats.ts';
import type { SyscallCount } from './strace.ts';
import type { MissingTarget, Target } from './targets.ts';

/** One measure of one target. Times in milliseconds, memory in KB. */
export interface Row {
  /** Profile of the config.json; empty where no container is involved. */
  profile: string;
  measure: string;
  target: string;
  wallMs: Summary;
  /** Processor time, user and system; undefined when it could not be measured. */
  cpuMs: Summary | undefined;
  maxRssKB: Summary | undefined;
  /** Ratios of the medians of elapsed time, by the name of the runtime compared with. */
  ratios: Record<string, Ratio>;
  /** The same of processor time. */
  cpuRatios: Record<string, Ratio>;
}

/** Memory that a container holds. */
export interface MemoryRow {
  profile: string;
  target: string;
  created: MemoryFigure;
  running: MemoryFigure;
}

/** System calls of one command. */
export interface SyscallRow extends SyscallCount {
  profile: string;
  measure: string;
  target: string;
}

/** What could not be measured, and why. */
export interface Skipped {
  profile: string;
  measure: string;
  target: string;
  reason: string;
}

/** Everything that a run found out. The JSON file is this. */
export interface Results {
  /** Version of this format. */
  format: 1;
  date: string;
  rounds: number;
  warmup: number;
  seed: number;
  timing: string;
  machine: Machine;
  /** Processors kept busy on average by other work while times were taken; undefined when unknown. */
  otherWork: number | undefined;
  targets: Omit<Target, 'command'>[];
  missing: MissingTarget[];
  rows: Row[];
  memory: MemoryRow[];
  syscalls: SyscallRow[];
  skipped: Skipped[];
  /** Samples that failed after the trial had worked: they count nowhere. */
  failures: Skipped[];
}

/** Runtimes that the others are compared with. */
export const references = ['crun', 'runc', 'floor'] as const;

/** The figures of one measure of one target. */
export interface Series {
  profile: string;
  measure: string;
  target: string;
  figures: Figure[];
}

function known(values: readonly (number | undefined)[]): number[] | undefined {
  const found = values.filter((value) => value !== undefined);
  return found.length === values.length && found.length > 0 ? found : undefined;
}

/** Rows of all series with samples, with their ratios against the references. */
export function makeRows(series: readonly Series[], seed: number): Row[] {
  const random = seededRandom(seed);
  const wall = (s: Series): number[] => s.figures.map((f) => f.wallNs / 1e6);
  const cpu = (s: Series): number[] | undefined =>
    known(s.figures.map((f) => f.cpuUs))?.map((us) => us / 1e3);
  return series
    .filter((s) => s.figures.length > 0)
    .map((s) => {
      const ratios: Row['ratios'] = {};
      const cpuRatios: Row['cpuRatios'] = {};
      for (const name of references) {
        if (name === s.target) continue;
        const other = series.find(
          (o) => o.target === name && o.measure === s.measure && o.profile === s.profile,
        );
        if (other === undefined) continue;
        const ratio = medianRatio(wall(s), wall(other), random);
        if (ratio !== undefined) ratios[name] = ratio;
        const cpuRatio = medianRatio(cpu(s) ?? [], cpu(other) ?? [], random);
        if (cpuRatio !== undefined) cpuRatios[name] = cpuRatio;
      }
      const cpuTimes = cpu(s);
      const peaks = known(s.figures.map((f) => f.maxRssKB));
      return {
        profile: s.profile,
        measure: s.measure,
        target: s.target,
        wallMs: summarize(wall(s)),
        cpuMs: cpuTimes && summarize(cpuTimes),
        maxRssKB: peaks && summarize(peaks),
        ratios,
        cpuRatios,
      };
    });
}

/** JSON of results: figures to four significant digits, one row a line so that versions can be compared. */
export function toJson(results: Results): string {
  const round = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  const members = Object.entries(results).map(([key, value]) => {
    const text =
      Array.isArray(value) && value.length > 0
        ? `[\n${value.map((row) => `    ${JSON.stringify(row, round)}`).join(',\n')}\n  ]`
        : JSON.stringify(value, round);
    return `  ${JSON.stringify(key)}: ${text}`;
  });
  return `{\n${members.join(',\n')}\n}\n`;
}
