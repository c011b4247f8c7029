/**
 * Runs an engine's cases against runts, and against runc as the reference:
 * `npm run conformance -- ENGINE [--vm] [--only CASE]... [--runtimes NAME,…] [--missing] [--seconds N]`.
 *
 * Each runtime gets the engine in a world of its own. Fails when a case fails for runts that passes for another runtime,
 * or that has no explanation. A run of some cases or runtimes renews their results only.
 *
 * @module
 */
import { readPart, writePart } from '../results.ts';
import { versionOf } from '../runtime-tools/suite.ts';
import type { Engine } from './engine.ts';
import { runInside, runOutside } from './inside.ts';
import { ensurePrograms, parseOptions } from './options.ts';
import { type Cells, cellTable, complaints, countsOf, type Kept, mergeCells, resultText } from './report.ts';

/** Runs an engine's part of the suite. @returns the exit code */
export async function runEngine<Box>(typed: Engine<Box>, args: string[]): Promise<number> {
  const engine = typed as Engine<unknown>;
  const options = parseOptions(engine, args);
  if (options.inside) {
    await runInside(engine, options);
    return 0;
  }
  ensurePrograms(engine);
  const { place, runtimes } = options;
  const name = `${engine.name}-${place}`;
  const earlier = readPart(name)?.data as Kept | undefined;
  const cells: Record<string, Cells[string]> = {};
  const versions: Record<string, string> = { ...earlier?.versions };
  const began = performance.now();
  // After each case: in the VM all of them take long, and a run may be ended.
  const keep = (): void => {
    const names = engine.cases.map((one) => one.name);
    const kept: Kept = { versions, cells: mergeCells(names, earlier?.cells ?? {}, cells) };
    writePart({
      name,
      title: `${engine.title}, ${place === 'vm' ? 'in the VM' : 'on a host'}`,
      counts: countsOf(engine.title, place, kept.cells),
      text: resultText(engine, place, kept),
      data: kept,
    });
  };
  for (const runtime of runtimes) {
    versions[runtime.name] = versionOf(runtime.path) || runtime.name;
    const cases = options.cases.filter(
      (each) => !options.missing || earlier?.cells[each]?.[runtime.name] === undefined,
    );
    const seconds = options.seconds - (performance.now() - began) / 1000;
    if (cases.length === 0 || seconds < 0) continue;
    await runOutside(engine, runtime, { cases, place, seconds }, (line) => {
      if (line.version !== undefined) versions[engine.name] = line.version;
      if (line.case === undefined || line.outcome === undefined) return;
      cells[line.case] = { ...cells[line.case], [runtime.name]: line.outcome };
      keep();
    });
  }
  process.stdout.write(`${cellTable(engine, cells)}\n`);
  const wrong = complaints(engine, cells);
  for (const line of wrong) process.stdout.write(`${line}\n`);
  for (const { what, cases, passes, skips = 0 } of countsOf(engine.title, place, cells)) {
    process.stdout.write(`${what}: ${passes} of ${cases} pass${skips === 0 ? '' : `, ${skips} skipped`}\n`);
  }
  return wrong.length > 0 ? 1 : 0;
}
