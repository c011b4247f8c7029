/**
 * Results as an SVG chart: a panel for each measure, a bar for each runtime. Pure.
 *
 * The background is transparent and the colours are legible on white and on black; a viewer that knows the user's colour
 * scheme gets the better of two sets.
 *
 * @module
 */

import { growthOf } from './profiles.ts';
import { formatKB, formatMs, titleOf } from './report.ts';
import type { Results } from './results.ts';

/** A bar: a figure, its spread if any, and what is written beside it. */
export interface Bar {
  label: string;
  value: number;
  low?: number;
  high?: number;
  text: string;
  /** Drawn in the accent colour. */
  ours: boolean;
}

/** A group of bars on one scale that begins at zero. */
export interface Panel {
  title: string;
  bars: Bar[];
}

const column = 440;
const labelWidth = 84;
const barWidth = 200;
const rowHeight = 20;
const titleHeight = 24;
const gap = 18;
const margin = 16;
const header = 72;

/** Colours and letters of all charts. */
const style = `
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a; }
.h { font-size: 15px; font-weight: 600; fill: #1f2328; }
.t { font-weight: 600; fill: #1f2328; }
.v { font-variant-numeric: tabular-nums; }
.bar { fill: #8c959f; }
.ours { fill: #0a7d5a; }
.axis { stroke: #8c959f; stroke-width: 1; }
.spread { stroke: #1f2328; stroke-width: 1.5; fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; }
  .h, .t { fill: #e6edf3; }
  .bar { fill: #656c76; }
  .ours { fill: #2dba8b; }
  .axis { stroke: #656c76; }
  .spread { stroke: #e6edf3; }
}`;

/** The same for curves. */
export const axisStyle = `${style}
.grid { stroke: #8c959f; stroke-width: 0.5; opacity: 0.4; }
.line { stroke: #8c959f; fill: none; stroke-width: 1.5; }
.line.ours { stroke: #0a7d5a; stroke-width: 2; fill: none; }
.line.floor { stroke-dasharray: 4 3; }
circle.line { fill: #8c959f; stroke: none; }
circle.line.ours { fill: #0a7d5a; stroke: none; }
.spread { stroke-width: 1; opacity: 0.6; }
@media (prefers-color-scheme: dark) {
  .line.ours { stroke: #2dba8b; }
  circle.line.ours { fill: #2dba8b; }
}`;

/** Text as XML character data. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Is this target the project's own? */
export const isOurs = (target: string): boolean => target.startsWith('runts');

/** Panels of results: what users wait for, then what a container holds. */
export function panelsOf(results: Results): Panel[] {
  const parts = new Set(['create', 'start', 'delete', 'true']);
  const panels = new Map<string, Panel>();
  // All measures of two profiles are enough to look at; of the others the whole run.
  const profiles = [...new Set(results.rows.map((row) => row.profile))].filter((name) => name !== '');
  for (const row of results.rows) {
    if (parts.has(row.measure) || growthOf(row.profile) !== undefined) continue;
    if (profiles.indexOf(row.profile) > 1 && row.measure !== 'run') continue;
    const title = titleOf(row.profile, row.measure);
    const panel = panels.get(title) ?? { title, bars: [] };
    panels.set(title, panel);
    const against = Object.entries(row.ratios)
      .slice(0, 1)
      .map(([name, ratio]) => ` · ${ratio.value.toFixed(2)} × ${name}`);
    panel.bars.push({
      label: row.target,
      value: row.wallMs.median,
      low: row.wallMs.p10,
      high: row.wallMs.p90,
      text: `${formatTime(row.wallMs.median)}${against.join('')}`,
      ours: isOurs(row.target),
    });
  }
  const runs = results.rows.filter((row) => row.measure === 'run' && row.profile === profiles[0]);
  panels.set('peak', {
    title: `peak memory of run (${profiles[0]} config)`,
    bars: runs.flatMap(({ target, maxRssKB }) => {
      if (maxRssKB === undefined) return [];
      const { median, p10, p90 } = maxRssKB;
      const bar = { label: target, value: median, low: p10, high: p90, text: formatKB(median) };
      return [{ ...bar, ours: isOurs(target) }];
    }),
  });
  for (const measure of ['run', 'create', 'exec']) {
    const counts = results.syscalls.filter((row) => row.measure === measure && row.profile === profiles[0]);
    panels.set(`calls ${measure}`, {
      title: `system calls of ${measure} (${profiles[0]} config)`,
      bars: counts.map(({ target, total }) => ({
        ...{ label: target, value: total, text: String(total), ours: isOurs(target) },
      })),
    });
  }
  for (const profile of new Set(results.memory.map((row) => row.profile))) {
    panels.set(`memory ${profile}`, {
      title: `memory of a created container's process, Pss (${profile} config)`,
      bars: results.memory
        .filter((row) => row.profile === profile)
        .map((row) => ({
          label: row.target,
          value: row.created.pssKB,
          text: formatKB(row.created.pssKB),
          ours: isOurs(row.target),
        })),
    });
  }
  return [...panels.values()].filter((panel) => panel.bars.length > 0);
}

function formatTime(ms: number): string {
  return ms < 9999.5 ? `${formatMs(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function panelHeight(panel: Panel): number {
  return titleHeight + panel.bars.length * rowHeight + gap;
}

function drawPanel(panel: Panel, x: number, y: number): string {
  const largest = Math.max(...panel.bars.map((bar) => bar.high ?? bar.value), Number.MIN_VALUE);
  const scale = (value: number): number => Math.round((value / largest) * barWidth * 10) / 10;
  const lines = [
    `<g transform="translate(${x} ${y})">`,
    `<text class="t" x="0" y="14">${escapeXml(panel.title)}</text>`,
  ];
  panel.bars.forEach((bar, i) => {
    const top = titleHeight + i * rowHeight;
    const middle = top + 8;
    lines.push(
      `<text x="${labelWidth - 8}" y="${top + 12}" text-anchor="end">${escapeXml(bar.label)}</text>`,
      `<rect class="${bar.ours ? 'ours' : 'bar'}" x="${labelWidth}" y="${top + 2}" width="${Math.max(scale(bar.value), 1)}" height="12" rx="1"/>`,
    );
    if (bar.low !== undefined && bar.high !== undefined) {
      const [low, high] = [labelWidth + scale(bar.low), labelWidth + scale(bar.high)];
      lines.push(
        `<path class="spread" d="M${low} ${middle}H${high}M${low} ${middle - 3}v6M${high} ${middle - 3}v6"/>`,
      );
    }
    const end = labelWidth + scale(Math.max(bar.value, bar.high ?? 0)) + 8;
    lines.push(`<text class="v" x="${end}" y="${top + 12}">${escapeXml(bar.text)}</text>`);
  });
  const bottom = titleHeight + panel.bars.length * rowHeight - 2;
  lines.push(`<path class="axis" d="M${labelWidth} ${titleHeight}V${bottom}"/>`, '</g>');
  return lines.join('\n');
}

/** Two lines for the head of a chart: versions and method, machine and date. */
export function describeRun(results: Results): [versions: string, where: string] {
  const { machine } = results;
  const versions = results.targets
    .filter((target) => target.floor !== true)
    .map(({ name, version }) => {
      const number = /\d+\.\d+\S*/.exec(version)?.[0];
      return number === undefined ? name : `${name} ${number}`;
    });
  const where = `${machine.cpu}, ${machine.cpus} CPUs, ${machine.os}, Linux ${machine.kernel}, ${results.date.slice(0, 10)}`;
  const how = `medians of ${results.rounds} interleaved rounds, lines from 10th to 90th percentile`;
  return [`${versions.join(', ')}; ${how}`, where];
}

/** An SVG document of results. */
export function formatChart(results: Results): string {
  const panels = panelsOf(results);
  const body: string[] = [];
  let y = header;
  for (let i = 0; i < panels.length; i += 2) {
    const pair = panels.slice(i, i + 2);
    pair.forEach((panel, j) => {
      body.push(drawPanel(panel, margin + j * column, y));
    });
    y += Math.max(...pair.map(panelHeight));
  }
  const width = margin * 2 + column * 2 - 20;
  const [versions, where] = describeRun(results);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" role="img" aria-label="Times and memory of container runtimes">`,
    `<style>${style}\n</style>`,
    `<text class="h" x="${margin}" y="22">Container runtimes side by side: shorter is better</text>`,
    `<text x="${margin}" y="40">${escapeXml(versions)}</text>`,
    `<text x="${margin}" y="56">${escapeXml(where)}</text>`,
    ...body,
    '</svg>\n',
  ].join('\n');
}
