/**
 * What grows as an SVG chart: a panel for each measure, a curve for each runtime, both axes logarithmic. Pure.
 *
 * @module
 */

import { axisStyle, describeRun, escapeXml, isOurs } from './chart.ts';
import { type GrowthFigure, growthFigures, growthTitles } from './growth.ts';
import { formatMs } from './report.ts';
import type { Results } from './results.ts';

const panel = { width: 430, height: 230, left: 46, right: 120, top: 26, bottom: 24 };
const margin = 16;
const header = 72;

/** A figure that is not measured at 0 has a place left of 1 on a logarithmic axis. */
const ZERO = 0.4;

type Scale = (value: number) => number;

function logarithmic(from: number, to: number, low: number, high: number): Scale {
  const [a, b] = [Math.log(from), Math.log(Math.max(to, from * 1.01))];
  return (value) => Math.round((low + ((Math.log(value) - a) / (b - a)) * (high - low)) * 10) / 10;
}

/** Powers of ten, and their halves, that lie in a range. */
export function ticks(from: number, to: number): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(from)); 10 ** power <= to; power++) {
    for (const step of [1, 2, 5]) {
      const value = Number((step * 10 ** power).toPrecision(1));
      if (value >= from && value <= to) found.push(value);
    }
  }
  return found;
}

/** Names beside the ends of the curves, moved apart so that none covers another. */
export function spread(wanted: readonly number[], distance: number): number[] {
  const order = wanted.map((y, i) => ({ y, i })).sort((a, b) => a.y - b.y);
  const placed: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const { y, i } of order) {
    last = Math.max(y, last + distance);
    placed[i] = last;
  }
  return placed;
}

function drawFigure({ what, measure, counts, curves }: GrowthFigure, x: number, y: number): string {
  const place = (count: number): number => (count === 0 ? ZERO : count);
  const values = curves.flatMap((curve) => curve.points.flatMap(({ low, high }) => [low, high]));
  const [least, most] = [Math.min(...values) * 0.9, Math.max(...values) * 1.1];
  const right = panel.width - panel.right;
  const bottom = panel.height - panel.bottom;
  const across = logarithmic(place(counts[0] ?? 1), place(counts.at(-1) ?? 1), panel.left, right);
  const up = logarithmic(least, most, bottom, panel.top);
  const lines = [
    `<g transform="translate(${x} ${y})">`,
    `<text class="t" x="0" y="14">${escapeXml(`${measure}, ms, by ${growthTitles[what]}`)}</text>`,
  ];
  for (const value of ticks(least, most)) {
    lines.push(
      `<path class="grid" d="M${panel.left} ${up(value)}H${right}"/>`,
      `<text class="v" x="${panel.left - 6}" y="${up(value) + 4}" text-anchor="end">${value}</text>`,
    );
  }
  for (const count of counts) {
    lines.push(
      `<text class="v" x="${across(place(count))}" y="${bottom + 16}" text-anchor="middle">${count}</text>`,
    );
  }
  const ends = spread(
    curves.map((curve) => up(curve.points.at(-1)?.ms ?? least)),
    14,
  );
  curves.forEach(({ target, points }, i) => {
    const name = isOurs(target) ? 'line ours' : target === 'floor' ? 'line floor' : 'line';
    const path = points
      .map(({ count, ms }, k) => `${k === 0 ? 'M' : 'L'}${across(place(count))} ${up(ms)}`)
      .join('');
    lines.push(`<path class="${name}" d="${path}"/>`);
    for (const { count, ms, low, high } of points) {
      const at = across(place(count));
      lines.push(
        `<circle class="${name}" cx="${at}" cy="${up(ms)}" r="2.5"/>`,
        `<path class="spread" d="M${at} ${up(low)}V${up(high)}"/>`,
      );
    }
    const last = points.at(-1);
    if (last === undefined) return;
    const text = `${target} ${formatMs(last.ms)}`;
    lines.push(
      `<text class="v" x="${across(place(last.count)) + 8}" y="${(ends[i] ?? 0) + 4}">${escapeXml(text)}</text>`,
    );
  });
  lines.push('</g>');
  return lines.join('\n');
}

/** An SVG document of what grows; undefined when nothing was measured. */
export function formatScaling(results: Results): string | undefined {
  const parts = new Set(['create', 'start', 'delete']);
  const figures = growthFigures(results.rows).filter(
    (figure) => figure.counts.length > 1 && !parts.has(figure.measure),
  );
  if (figures.length === 0) return undefined;
  const body = figures.map((figure, i) =>
    drawFigure(figure, margin + (i % 2) * panel.width, header + Math.floor(i / 2) * (panel.height + 16)),
  );
  const width = margin * 2 + panel.width * 2;
  const height = header + Math.ceil(figures.length / 2) * (panel.height + 16);
  const [versions, where] = describeRun(results);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Times of container runtimes by what they grow with">`,
    `<style>${axisStyle}\n</style>`,
    `<text class="h" x="${margin}" y="22">What grows: lower is better, both axes logarithmic</text>`,
    `<text x="${margin}" y="40">${escapeXml(versions)}</text>`,
    `<text x="${margin}" y="56">${escapeXml(where)}</text>`,
    ...body,
    '</svg>\n',
  ].join('\n');
}
