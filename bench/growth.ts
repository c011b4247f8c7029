/**
 * Figures that grow with something: how they are taken out of the rows, as a table and as curves. Pure.
 *
 * @module
 */

import { type Growth, growthOf } from './profiles.ts';
import type { Row } from './results.ts';

/** One target's figures, by how many there are. */
export interface Curve {
  target: string;
  points: { count: number; ms: number; low: number; high: number }[];
}

/** One measure that grows. */
export interface GrowthFigure {
  what: Growth['what'];
  measure: string;
  counts: number[];
  curves: Curve[];
}

/** What it grows with, in a heading. */
export const growthTitles: Readonly<Record<Growth['what'], string>> = {
  mounts: 'mounts',
  others: 'other containers on the host',
};

/** The figures of all rows that grow; a host with no others is the profile `default` by itself. */
export function growthFigures(rows: readonly Row[]): GrowthFigure[] {
  const figures: GrowthFigure[] = [];
  const growing = rows.flatMap((row) => {
    const growth = growthOf(row.profile);
    return growth === undefined ? [] : [{ row, ...growth }];
  });
  for (const { what, row } of growing) {
    if (figures.some((f) => f.what === what && f.measure === row.measure)) continue;
    const alone = rows.filter((r) => r.profile === 'default').map((r) => ({ row: r, what, count: 0 }));
    const found = [...(what === 'others' ? alone : []), ...growing].filter(
      (g) => g.what === what && g.row.measure === row.measure && g.row.target !== 'floor',
    );
    const floor = growing.filter(
      (g) => g.what === what && g.row.measure === row.measure && g.row.target === 'floor',
    );
    const all = [...found, ...floor];
    const targets = [...new Set(all.map((g) => g.row.target))];
    figures.push({
      what,
      measure: row.measure,
      counts: [...new Set(all.map((g) => g.count))].sort((a, b) => a - b),
      curves: targets.map((target) => ({
        target,
        points: all
          .filter((g) => g.row.target === target)
          .map(({ count, row: { wallMs } }) => ({
            count,
            ms: wallMs.median,
            low: wallMs.p10,
            high: wallMs.p90,
          }))
          .sort((a, b) => a.count - b.count),
      })),
    });
  }
  return figures;
}
