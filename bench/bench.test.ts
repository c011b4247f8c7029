import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseOptions } from './options.ts';
import type { Results } from './results.ts';
import { findTarget } from './targets.ts';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'bench-'));
after(() => rmSync(folder, { recursive: true }));

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  const argv = ['--import', 'tsx', join(project, 'bench/main.ts'), ...args];
  return spawnSync(process.execPath, argv, { cwd: project, env, encoding: 'utf8' });
}

function unavailable(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = findTarget('crun', project);
  if (!('command' in missing)) return `crun: ${missing.reason}`;
  if (!['/bin/busybox', '/usr/bin/busybox'].some((file) => existsSync(file))) return 'no busybox';
  return spawnSync('unshare', ['-m', '-p', '-f', 'true']).status === 0 ? false : 'namespaces are not allowed';
}

const skip = unavailable();

test('options that are wrong are told before anything is set up', () => {
  const result = bench('--only', 'nothing');
  assert.equal(result.status, 1);
  assert.match(result.stderr, /^bench: --only: no measure "nothing"/m);
});

test('one round of crun and of a runtime that lacks a command', { skip }, () => {
  const lacking = join(folder, 'lacking');
  writeFileSync(
    lacking,
    '#!/bin/sh\nfor a; do [ "$a" = exec ] && { echo "no exec here" >&2; exit 1; }; done\nexec crun "$@"\n',
    { mode: 0o755 },
  );
  const json = join(folder, 'r.json');
  const svg = join(folder, 'r.svg');
  const scaling = join(folder, 's.svg');
  const result = bench(
    ...['--rounds', '1', '--warmup', '0', '--profile', 'default', '--fleet', '3x2'],
    ...['--mounts', '2', '--others', '2,3', '--no-syscalls'],
    ...['--runtimes', `crun,lacking=${lacking},floor`, '--also', 'absent=/no/such/runtime'],
    ...['--json', json, '--svg', svg, '--scaling-svg', scaling],
  );
  assert.equal(result.status, 0, result.stderr);
  const results = JSON.parse(readFileSync(json, 'utf8')) as Results;
  const found = (target: string): string[] =>
    results.rows
      .filter((row) => row.target === target && !row.profile.includes('='))
      .map((row) => row.measure);
  const cycle = ['run', 'create+start+delete', 'create', 'start', 'delete', 'state', 'list', 'exec', 'kill'];
  const all = ['version', ...cycle];
  assert.deepEqual(found('crun'), [...all, '3 containers, 2 at a time']);
  assert.deepEqual(found('lacking'), [
    ...all.filter((measure) => measure !== 'exec'),
    '3 containers, 2 at a time',
  ]);
  assert.deepEqual(found('busybox'), ['true']);
  assert.deepEqual(found('floor'), ['run', 'create+start+delete']);
  const grown = (profile: string): string[] =>
    results.rows.filter((row) => row.target === 'crun' && row.profile === profile).map((row) => row.measure);
  assert.deepEqual(grown('mounts=2'), ['run']);
  assert.deepEqual([grown('others=2'), grown('others=3')], [cycle, cycle]);
  assert.deepEqual(
    results.skipped.map(({ target, measure, reason }) => ({ target, measure, reason })),
    Array.from({ length: 3 }, () => ({ target: 'lacking', measure: 'exec', reason: 'no exec here' })),
  );
  assert.deepEqual(results.missing, [{ name: 'absent', reason: 'no /no/such/runtime' }]);
  const [memory] = results.memory;
  assert.equal(memory?.created.processes, 1);
  assert.ok((memory?.created.pssKB ?? 0) > 0);
  assert.match(readFileSync(svg, 'utf8'), /^<svg /);
  assert.match(readFileSync(scaling, 'utf8'), /by other containers on the host/);
  assert.match(result.stdout, /run \(default config\)/);
  const listing = spawnSync('find', ['/sys/fs/cgroup', '-maxdepth', '3', '-name', 'runts-bench-*'], {
    encoding: 'utf8',
  });
  // Another bench may be running.
  const left = listing.stdout
    .split('\n')
    .filter((path) => path && !existsSync(`/proc/${path.split('-').at(-1)}`));
  assert.deepEqual(left, [], 'no cgroup is left behind');
});

test('the help names every option', () => {
  const result = bench('--help');
  assert.equal(result.status, 0);
  for (const name of Object.keys(parseOptions([], ''))) {
    const flag = {
      ...{ profiles: 'profile', fleets: 'fleet', memory: 'no-memory', syscalls: 'no-syscalls' },
      scalingSvg: 'scaling-svg',
    }[name];
    assert.ok(result.stdout.includes(`--${flag ?? name}`), name);
  }
});
