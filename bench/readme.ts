/**
 * The short table of README.md, made of results. Pure.
 *
 * @module
 */

import { formatKB, formatMs } from './report.ts';
import type { Results, Row } from './results.ts';

/** Around what is generated. */
export const markers = ['<!-- bench: made by npm run bench -- --readme -->', '<!-- /bench -->'] as const;

const columns = ['runts', 'crun', 'runc'] as const;

type Column = (typeof columns)[number];

interface Line {
  title: string;
  /** What is compared. */
  value(target: Column): number | undefined;
  format(value: number): string;
}

function linesOf({ rows, memory }: Results): Line[] {
  const find = (profile: string, measure: string, target: string): Row | undefined =>
    rows.find((r) => r.profile === profile && r.measure === measure && r.target === target);
  const time = (title: string, profile: string, measure: string): Line => ({
    title,
    value: (target) => find(profile, measure, target)?.wallMs.median,
    format: (ms) => `${formatMs(ms)} ms`,
  });
  const held = (title: string, state: 'created' | 'running'): Line => ({
    title,
    value: (target) => memory.find((m) => m.profile === 'default' && m.target === target)?.[state].pssKB,
    format: formatKB,
  });
  return [
    time('`run`', 'default', 'run'),
    time('`run`, Docker’s config, seccomp, 30 mounts', 'docker', 'run'),
    time('`create`, `start`, `delete`', 'default', 'create+start+delete'),
    time('`exec`', 'default', 'exec'),
    time('`state`', 'default', 'state'),
    time('`kill`', 'default', 'kill'),
    time('100 containers, 8 at a time', 'default', '100 containers, 8 at a time'),
    {
      title: 'processor time of `run`',
      value: (target) => find('default', 'run', target)?.cpuMs?.median,
      format: (ms) => `${formatMs(ms)} ms`,
    },
    {
      title: '`run`, times what the kernel alone takes',
      value: (target) => find('default', 'run', target)?.ratios.floor?.value,
      format: (ratio) => ratio.toFixed(1),
    },
    {
      title: 'peak memory of `run`',
      value: (target) => find('default', 'run', target)?.maxRssKB?.median,
      format: formatKB,
    },
    held('held by a created container', 'created'),
  ];
}

function ratio(value: number | undefined, other: number | undefined): string {
  if (value === undefined || other === undefined || other === 0) return '';
  const quotient = value / other;
  return quotient.toFixed(quotient < 0.1 ? 3 : 2);
}

/** The table, with what was measured and where. */
export function shortTable(results: Results): string {
  const version = (name: string): string => {
    const target = results.targets.find((t) => t.name === name);
    return /\d+\.\d+[^ ,]*/.exec(target?.version ?? '')?.[0] ?? '';
  };
  const head = ['', ...columns.map((name) => `${name} ${version(name)}`.trim()), '× crun', '× runc'];
  const body = linesOf(results)
    .map((line) => {
      const values = columns.map((name) => line.value(name));
      if (values.every((value) => value === undefined)) return undefined;
      const [own, crun, runc] = values;
      const cells = values.map((value) => (value === undefined ? '' : line.format(value)));
      return [line.title, ...cells, ratio(own, crun), ratio(own, runc)];
    })
    .filter((row) => row !== undefined);
  const table = [head, ['---', ...head.slice(1).map(() => '---:')], ...body];
  const { machine } = results;
  const busy =
    (results.otherWork ?? 0) > machine.cpus * 0.1
      ? ' Other programs were at work on the machine meanwhile.'
      : '';
  const text =
    `Medians of ${results.rounds} interleaved rounds (fewer where a round is many containers), with runc’s default config where ` +
    `nothing else is said, ${results.date.slice(0, 10)}: ` +
    `${machine.cpu}, ${machine.cpus} CPUs, ${machine.os}, Linux ${machine.kernel}.${busy} ` +
    '[bench/](bench/README.md) says how; all figures and charts are in [bench/results](bench/results/).';
  return `${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n\n${wrapped(text, 120)}`;
}

/** Text in lines of at most so many characters. */
function wrapped(text: string, width: number): string {
  let line = 0;
  return text.replace(/(\s*)(\S+)/g, (_, space: string, word: string) => {
    const fits = line + space.length + word.length <= width;
    line = fits ? line + space.length + word.length : word.length;
    return `${fits ? space : '\n'}${word}`;
  });
}

/**
 * A README with the part between the markers replaced.
 *
 * @throws Error when the markers are missing
 */
export function withSection(readme: string, text: string): string {
  const [from, to] = [readme.indexOf(markers[0]), readme.indexOf(markers[1])];
  if (from < 0 || to < from) throw new Error(`README.md has no place for the table: ${markers.join(' … ')}`);
  return `${readme.slice(0, from + markers[0].length)}\n\n${text}\n\n${readme.slice(to)}`;
}

/** The part between the markers. */
export function sectionOf(readme: string): string {
  const from = readme.indexOf(markers[0]);
  return readme.slice(from + markers[0].length, readme.indexOf(markers[1], from)).trim();
}
