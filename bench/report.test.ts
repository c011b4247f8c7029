import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { escapeXml, formatChart, panelsOf } from './chart.ts';
import { growthFigures } from './growth.ts';
import { markers, sectionOf, shortTable, withSection } from './readme.ts';
import { formatKB, formatMs, formatReport, table } from './report.ts';
import { makeRows, type Results, type Series, toJson } from './results.ts';
import { formatScaling, spread, ticks } from './scaling.ts';

function series(target: string, ms: number): Series {
  const figures = Array.from({ length: 9 }, (_, i) => ({
    wallNs: (ms + i / 100) * 1e6,
    cpuUs: ms * 500,
    maxRssKB: 3000 + i,
  }));
  return { profile: 'default', measure: 'run', target, figures };
}

const memory = (
  pssKB: number,
): { pssKB: number; rssKB: number; processes: number; chargedKB: undefined } => ({
  pssKB,
  rssKB: pssKB * 2,
  processes: 1,
  chargedKB: undefined,
});

const results: Results = {
  format: 1,
  date: '2026-01-02T03:04:05.000Z',
  rounds: 9,
  warmup: 1,
  seed: 1,
  timing: 'test',
  machine: {
    cpu: 'CPU <1>',
    cpus: 2,
    memoryMB: 1024,
    arch: 'x64',
    kernel: '6.1.0',
    os: 'Debian',
    node: 'v20',
  },
  otherWork: 0.01,
  targets: [
    { name: 'runts', version: 'runts version 0.1.0', bytes: 100 << 20 },
    { name: 'crun', version: 'crun version 1.8.1', bytes: 1 << 19 },
  ],
  missing: [{ name: 'runc', reason: 'not installed' }],
  rows: makeRows([series('runts', 7), series('crun', 14)], 1),
  memory: [
    { profile: 'default', target: 'runts', created: memory(24), running: memory(100) },
    { profile: 'default', target: 'crun', created: memory(1200), running: memory(100) },
  ],
  syscalls: [
    { profile: 'default', measure: 'run', target: 'crun', total: 803, errors: 9, byName: { openat: 803 } },
  ],
  skipped: [{ profile: 'default', measure: 'exec', target: 'runts', reason: 'unknown command' }],
  failures: [],
};

test('rows compare with the references, not with themselves', () => {
  const [runts, crun] = results.rows;
  assert.ok(Math.abs((runts?.ratios.crun?.value ?? 0) - 0.5) < 0.01);
  assert.deepEqual(crun?.ratios, {});
  assert.equal(runts?.cpuMs?.median, 3.5);
  assert.equal(runts?.maxRssKB?.max, 3008);
});

test('a series without samples has no row, and unknown figures stay unknown', () => {
  assert.deepEqual(makeRows([{ profile: '', measure: 'run', target: 'runc', figures: [] }], 1), []);
  const figures = [{ wallNs: 1e6, cpuUs: undefined, maxRssKB: undefined }];
  const [row] = makeRows([{ profile: '', measure: 'run', target: 'runc', figures }], 1);
  assert.equal(row?.cpuMs, undefined);
  assert.equal(row?.maxRssKB, undefined);
});

test('the report has every figure and every omission', () => {
  const text = formatReport(results);
  assert.match(text, /runts: runts version 0\.1\.0 \(100\.0 MB\)/);
  assert.match(text, /runc: left out: not installed/);
  assert.match(text, /run \(default config\) .*median ms .*× crun/);
  assert.match(text, / {2}runts +7\.04 +7\.01–7\.07 +3\.50 +2\.94 MB +0\.50/);
  assert.match(text, /memory of one container \(default config\)/);
  assert.match(text, / {2}runts +24 KB .* 0\.020/);
  assert.match(text, / {2}crun +803/);
  assert.match(text, /runts: exec \(default config\): skipped: unknown command/);
});

test('a busy machine is told', () => {
  assert.ok(!formatReport(results).includes('not quiet'));
  assert.match(formatReport({ ...results, otherWork: 1.23 }), /other work took 1\.2 of 2 CPUs/);
});

test('cells line up and numbers are short', () => {
  assert.equal(
    table([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
    'a     bb\nccc    d',
  );
  assert.deepEqual([formatMs(1.2345), formatMs(12.345), formatMs(123.45)], ['1.23', '12.3', '123']);
  assert.deepEqual([formatKB(24.4), formatKB(2048), formatKB(104857.6)], ['24 KB', '2.00 MB', '102.4 MB']);
});

test('the JSON is the results with short numbers', () => {
  const parsed = JSON.parse(toJson(results)) as Results;
  assert.equal(parsed.format, 1);
  assert.equal(parsed.rows.length, 2);
  assert.equal(parsed.rows[0]?.wallMs.median, 7.04);
  assert.deepEqual(Object.keys(parsed), Object.keys(results));
});

test('the chart has a panel a measure, a bar a runtime, and escapes texts', () => {
  const panels = panelsOf(results);
  assert.deepEqual(
    panels.map((panel) => panel.bars.map((bar) => bar.label)),
    [['runts', 'crun'], ['runts', 'crun'], ['crun'], ['runts', 'crun']],
  );
  assert.match(panels[0]?.bars[0]?.text ?? '', /7\.04 ms · 0\.50 × crun/);
  const svg = formatChart(results);
  assert.equal(svg.match(/<rect /g)?.length, 7);
  assert.ok(svg.includes('CPU &#60;1&#62;'));
  assert.ok(svg.includes('prefers-color-scheme: dark'));
  assert.ok(!/NaN|undefined|Infinity/.test(svg));
  const open = [...svg.matchAll(/<(\w+)(?: [^>]*)?(?<!\/)>/g)].map((m) => m[1]);
  const closed = [...svg.matchAll(/<\/(\w+)>/g)].map((m) => m[1]);
  assert.deepEqual(open.toSorted(), closed.toSorted());
  assert.equal(escapeXml('a<b>&"\''), 'a&#60;b&#62;&#38;&#34;&#39;');
});

test('a chart of nothing is still a chart', () => {
  const svg = formatChart({ ...results, rows: [], memory: [] });
  assert.match(svg, /<\/svg>\n$/);
  assert.ok(!/NaN|Infinity/.test(svg));
});

function grown(profile: string, target: string, ms: number): Series {
  return { ...series(target, ms), profile };
}

const growing: Results = {
  ...results,
  rows: makeRows(
    [
      ...[series('runts', 7), series('crun', 14), series('floor', 2)],
      ...[grown('others=1', 'runts', 7), grown('others=1', 'crun', 15), grown('others=100', 'runts', 8)],
      ...[grown('mounts=1', 'runts', 7), grown('mounts=1000', 'runts', 70), grown('mounts=1', 'floor', 3)],
    ],
    1,
  ),
};

test('what grows is a curve a runtime, from the host without others on', () => {
  const shapes = growthFigures(growing.rows).map(({ what, measure, counts, curves }) => ({
    ...{ what, measure, counts },
    curves: curves.map(({ target, points }) => [target, points.map((point) => point.count)]),
  }));
  assert.deepEqual(shapes, [
    {
      ...{ what: 'others', measure: 'run', counts: [0, 1, 100] },
      curves: [
        ['runts', [0, 1, 100]],
        ['crun', [0, 1]],
      ],
    },
    {
      ...{ what: 'mounts', measure: 'run', counts: [1, 1000] },
      curves: [
        ['runts', [1, 1000]],
        ['floor', [1]],
      ],
    },
  ]);
  const text = formatReport(growing);
  assert.match(text, /run, ms, by mounts +1 +1000\n {2}runts +7\.04 +70\.0\n {2}floor +3\.04\n/);
  assert.ok(!text.includes('others=1 config'));
});

test('the chart of what grows has a panel a measure and a curve a runtime', () => {
  const svg = formatScaling(growing) ?? '';
  assert.equal(svg.match(/<g /g)?.length, 2);
  assert.equal(svg.match(/<path class="line/g)?.length, 4);
  assert.ok(!/NaN|undefined|Infinity/.test(svg));
  assert.equal(formatScaling(results), undefined);
  assert.equal(panelsOf(growing).length, 4);
  assert.deepEqual(ticks(0.9, 30), [1, 2, 5, 10, 20]);
  assert.deepEqual(spread([10, 40, 11, 12], 5), [10, 40, 15, 20]);
});

test('the short table compares runts with both', () => {
  const table = shortTable(growing);
  const run = table.split('\n').find((line) => line.startsWith('| `run` |'));
  assert.equal(run, '| `run` | 7.04 ms | 14.0 ms |  | 0.50 |  |');
  assert.match(table, /^\| {2}\| runts 0\.1\.0 \| crun 1\.8\.1 \| runc \| × crun \| × runc \|\n/);
  assert.match(table, /\| held by a created container \| 24 KB \| 1\.17 MB \| {2}\| 0\.020 \| {2}\|/);
  assert.match(table, /times what the kernel alone takes \| 3\.5 \| 6\.9 /);
  const unwrapped = table.replaceAll('\n', ' ');
  assert.match(
    unwrapped,
    /Medians of 9 interleaved rounds \(fewer where a round is many containers\), with runc’s default config where nothing else is said, \d{4}-\d\d-\d\d: CPU <1>, 2 CPUs, Debian, Linux 6\.1\.0/,
  );
  assert.ok(!table.includes('exec'));
});

test('the table goes between the markers, and nothing else changes', () => {
  const readme = `a\n\n${markers[0]}\n\nold\n\n${markers[1]}\n\nb\n`;
  const changed = withSection(readme, 'new');
  assert.equal(changed, `a\n\n${markers[0]}\n\nnew\n\n${markers[1]}\n\nb\n`);
  assert.equal(withSection(changed, 'new'), changed);
  assert.equal(sectionOf(changed), 'new');
  assert.throws(() => withSection('a', 'b'), /no place/);
});

test('the table in README.md is that of the results in the repository', (t) => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  assert.notEqual(sectionOf(readme), '');
  let text: string;
  try {
    text = readFileSync(new URL('results/bench.json', import.meta.url), 'utf8');
  } catch {
    t.diagnostic('no results in bench/results');
    return;
  }
  assert.equal(sectionOf(readme), shortTable(JSON.parse(text) as Results));
});
