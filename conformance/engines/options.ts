/**
 * What of an engine's part is to be run, and whether it can be.
 *
 * @module
 */
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { findCommand, missing } from '../../test/harness/requirements.ts';
import { aptGet } from '../vm/programs.ts';
import type { Engine, Place, Runtime } from './engine.ts';

export const project: string = join(import.meta.dirname, '../..');

export interface Options {
  /** Names of cases. */
  readonly cases: readonly string[];
  readonly runtimes: readonly Runtime[];
  readonly place: Place;
  /** In the world or VM: results go to standard output, one JSON text a line. */
  readonly inside: boolean;
  /** Only cases that a runtime has no result of yet. */
  readonly missing: boolean;
  /** After so many no further case is begun. */
  readonly seconds: number;
}

/** The runtimes of these names or absolute paths that are here. */
export function findRuntimes(names: readonly string[]): Runtime[] {
  return names.flatMap((name): Runtime[] => {
    if (name.startsWith('/')) return [{ name: basename(name), path: name }];
    const path = name === 'runts' ? join(project, 'dist/runts') : findCommand(name);
    if (path !== undefined) return [{ name, path }];
    process.stderr.write(`no ${name} here: left out\n`);
    return [];
  });
}

/** Names of the cases that a place has. */
export function casesOf(engine: Pick<Engine<unknown>, 'cases' | 'vm'>, place: Place): string[] {
  const { cases } = engine;
  const all = !engine.vm?.onlyMarked;
  return cases
    .filter(({ vm, host }) => (place === 'host' ? vm !== true : vm || (all && !host)))
    .map(({ name }) => name);
}

/**
 * Reads the command line. `--only` names a case, or the cases that begin so, and can be repeated. `--missing` and
 * `--seconds` together are for a machine that can be had for minutes only: each run goes on where the last one stopped.
 *
 * @throws Error when there is no such case, or no such number
 */
export function parseOptions(engine: Engine<unknown>, args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      vm: { type: 'boolean' },
      inside: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      runtimes: { type: 'string' },
      missing: { type: 'boolean' },
      seconds: { type: 'string' },
    },
  });
  const seconds = values.seconds === undefined ? Infinity : Number(values.seconds);
  if (Number.isNaN(seconds)) throw new Error(`--seconds: no number: ${values.seconds}`);
  const place: Place = values.vm ? 'vm' : 'host';
  const usual = casesOf(engine, place);
  const all = place === 'vm' ? engine.cases.map(({ name }) => name) : usual;
  const wanted = values.only ?? usual;
  const unknown = wanted.filter((start) => !all.some((name) => name.startsWith(start)));
  if (unknown.length > 0) throw new Error(`${engine.name}: no such case: ${unknown.join(', ')}`);
  return {
    cases: all.filter((name) =>
      wanted.some((start) => (all.includes(start) ? name === start : name.startsWith(start))),
    ),
    runtimes: findRuntimes(values.runtimes?.split(',') ?? engine.runtimes ?? ['runts', 'runc']),
    place,
    inside: values.inside ?? false,
    missing: values.missing ?? false,
    seconds,
  };
}

/** The packages of programs that are not here. */
export function missingPackages(programs: Engine<unknown>['programs']): string[] {
  const isHere = (name: string) => (name.includes('/') ? existsSync(name) : findCommand(name) !== undefined);
  const absent = Object.entries(programs).filter(([program]) => !isHere(program));
  return [...new Set(absent.map(([, name]) => name))];
}

/** Why an engine can't run here, with the remedy; false when it can. */
export function missingForEngine({ programs }: Pick<Engine<unknown>, 'programs'>): string | false {
  const reason = missing('unshare', 'mount', 'ip', 'script');
  if (reason !== false) return reason;
  const packages = missingPackages(programs);
  return packages.length > 0 && `needs: apt-get install --no-install-recommends ${packages.join(' ')}`;
}

/** Debian's invoke-rc.d(8) and deb-systemd-invoke(1) ask it whether a package's installation may start its services. */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Installs packages without starting what is in them.
 *
 * @throws Error when apt-get fails
 */
export function install(packages: readonly string[]): void {
  const mine = !existsSync(POLICY);
  // Ends this process only after apt-get, which hears of it too, and after what follows it here.
  const stop = (): void => process.exit(1);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  if (mine) {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n');
    chmodSync(POLICY, 0o755);
  }
  try {
    // Nothing that the host has may be taken away for the test's sake.
    aptGet(['install', '-y', '-qq', '--no-install-recommends', '--no-remove', ...packages]);
  } finally {
    if (mine) rmSync(POLICY, { force: true });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  }
}

/**
 * Installs what is missing where that is possible.
 *
 * @throws Error when something is missing still
 */
export function ensurePrograms(engine: Engine<unknown>): void {
  const packages = missingPackages(engine.programs);
  if (packages.length > 0 && process.geteuid?.() === 0 && findCommand('apt-get') !== undefined) {
    process.stderr.write(`${engine.name}: installing ${packages.join(' ')}\n`);
    install(packages);
  }
  const reason = missingForEngine(engine);
  if (reason !== false) throw new Error(`${engine.name}: ${reason}`);
}
