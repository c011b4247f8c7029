/**
 * Results as text for a terminal. Pure.
 *
 * @module
 */

import { growthFigures, growthTitles } from './growth.ts';
import { growthOf } from './profiles.ts';
import { type MemoryRow, type Results, type Row, references, type SyscallRow } from './results.ts';
import type { Ratio } from './stats.ts';

/** Columns padded to their widest cell: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** Milliseconds with three significant digits or one decimal. */
export function formatMs(ms: number): string {
  return ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);
}

/** KB as KB below 1,024, else as MB. */
export function formatKB(kb: number): string {
  if (kb < 1024) return `${Math.round(kb)} KB`;
  return `${(kb / 1024).toFixed(kb < 10_240 ? 2 : 1)} MB`;
}

function formatRatio(ratio: Ratio | undefined): string {
  return ratio === undefined ? '' : ratio.value.toFixed(ratio.value < 0.1 ? 3 : 2);
}

function formatInterval(ratio: Ratio | undefined): string {
  return ratio === undefined ? '' : `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}`;
}

function groups<T>(rows: readonly T[], key: (row: T) => string): Map<string, T[]> {
  const result = new Map<string, T[]>();
  for (const row of rows) {
    const group = result.get(key(row));
    if (group === undefined) result.set(key(row), [row]);
    else group.push(row);
  }
  return result;
}

/** `run (default config)`; the title of a measure. */
export function titleOf(profile: string, measure: string): string {
  return profile === '' ? measure : `${measure} (${profile} config)`;
}

function timeSection(title: string, rows: readonly Row[]): string[][] {
  const against = references.filter((name) => rows.some((row) => row.ratios[name] !== undefined));
  const head = [title, 'median ms', 'p10–p90', 'cpu ms', 'peak'];
  for (const name of against) head.push(`× ${name}`, '95 %', 'cpu');
  return [
    head,
    ...rows.map((row) => [
      `  ${row.target}`,
      formatMs(row.wallMs.median),
      `${formatMs(row.wallMs.p10)}–${formatMs(row.wallMs.p90)}`,
      row.cpuMs === undefined ? '?' : formatMs(row.cpuMs.median),
      row.maxRssKB === undefined ? '?' : formatKB(row.maxRssKB.max),
      ...against.flatMap((name) => [
        formatRatio(row.ratios[name]),
        formatInterval(row.ratios[name]),
        formatRatio(row.cpuRatios[name]),
      ]),
    ]),
  ];
}

function memorySection(profile: string, rows: readonly MemoryRow[]): string[][] {
  const against = references.filter((name) => rows.some((row) => row.target === name));
  const charged = (kb: number | undefined): string => (kb === undefined ? '?' : formatKB(kb));
  return [
    [
      `memory of one container (${profile} config)`,
      'created: Pss',
      'Rss',
      'processes',
      'charged',
      ...against.map((name) => `Pss × ${name}`),
      'running: Pss',
      'processes',
      'charged',
    ],
    ...rows.map((row) => [
      `  ${row.target}`,
      formatKB(row.created.pssKB),
      formatKB(row.created.rssKB),
      String(row.created.processes),
      charged(row.created.chargedKB),
      ...against.map((name) => {
        const other = rows.find((r) => r.target === name)?.created.pssKB ?? 0;
        return name === row.target || other === 0 ? '' : (row.created.pssKB / other).toFixed(3);
      }),
      formatKB(row.running.pssKB),
      String(row.running.processes),
      charged(row.running.chargedKB),
    ]),
  ];
}

function syscallSection(profile: string, rows: readonly SyscallRow[]): string[][] {
  const measures = [...new Set(rows.map((row) => row.measure))];
  const targets = [...new Set(rows.map((row) => row.target))];
  return [
    [`system calls${profile === '' ? '' : ` (${profile} config)`}`, ...measures],
    ...targets.map((target) => [
      `  ${target}`,
      ...measures.map(
        (measure) => rows.find((r) => r.target === target && r.measure === measure)?.total.toString() ?? '',
      ),
    ]),
  ];
}

function growthSections(rows: readonly Row[]): string[] {
  return growthFigures(rows).map(({ what, measure, counts, curves }) =>
    table([
      [`${measure}, ms, by ${growthTitles[what]}`, ...counts.map(String)],
      ...curves.map(({ target, points }) => [
        `  ${target}`,
        ...counts.map((count) => {
          const point = points.find((p) => p.count === count);
          return point === undefined ? '' : formatMs(point.ms);
        }),
      ]),
    ]),
  );
}

/** The whole report. */
export function formatReport(results: Results): string {
  const { machine } = results;
  const lines = [
    `${machine.cpu}, ${machine.cpus} CPUs, ${machine.memoryMB} MB, ${machine.arch}, Linux ${machine.kernel}, ${machine.os}, ${results.date}`,
    `${results.rounds} rounds after ${results.warmup} of warm-up, seed ${results.seed}; ${results.timing}`,
    ...results.targets.map((t) => `  ${t.name}: ${t.version} (${(t.bytes / 1048576).toFixed(1)} MB)`),
    ...results.missing.map((t) => `  ${t.name}: left out: ${t.reason}`),
  ];
  if (results.otherWork !== undefined && results.otherWork > machine.cpus * 0.1) {
    const share = `${results.otherWork.toFixed(1)} of ${machine.cpus} CPUs`;
    lines.push(
      `  The machine was not quiet: other work took ${share}. Trust p10 and processor time before medians.`,
    );
  }
  const timed = results.rows.filter((row) => growthOf(row.profile) === undefined);
  const sections = [...groups(timed, (row) => titleOf(row.profile, row.measure))].map(([title, rows]) =>
    timeSection(title, rows),
  );
  // One table for all measures, so that their columns line up.
  const width = Math.max(0, ...sections.flat().map((row) => row[0]?.length ?? 0));
  for (const section of sections) {
    lines.push('', table(section.map(([first = '', ...rest]) => [first.padEnd(width), ...rest])));
  }
  for (const section of growthSections(results.rows)) lines.push('', section);
  for (const [profile, rows] of groups(results.memory, (row) => row.profile)) {
    lines.push('', table(memorySection(profile, rows)));
  }
  for (const [profile, rows] of groups(results.syscalls, (row) => row.profile)) {
    lines.push('', table(syscallSection(profile, rows)));
  }
  const notes = [
    ...results.skipped.map((s) => `  ${s.target}: ${titleOf(s.profile, s.measure)}: skipped: ${s.reason}`),
    ...results.failures.map((s) => `  ${s.target}: ${titleOf(s.profile, s.measure)}: failed: ${s.reason}`),
  ];
  if (notes.length > 0) lines.push('', ...notes);
  return `${lines.join('\n')}\n`;
}
