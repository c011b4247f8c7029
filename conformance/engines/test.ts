/**
 * An engine's cases on this host as tests, for `npm test`.
 *
 * @module
 */
import { describe, test } from 'node:test';
import { inWorld } from '../../test/harness/world.ts';
import type { Engine, Runtime } from './engine.ts';
import { runOutside } from './inside.ts';
import { casesOf, findRuntimes, missingForEngine } from './options.ts';
import type { Outcome } from './report.ts';
import { engineCommand } from './world.ts';

/** Why this host has no world for engines, for all that it has their programs; false when it has. */
function missingWorld(): string | false {
  try {
    const { status, stderr } = inWorld({ cgroups: 'v2', network: true }, engineCommand(['true']));
    return status !== 0 && `no private world for engines: ${stderr.trim()}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Runs the cases, and gives their outcomes by name. */
async function outcomesOf(
  engine: Engine<unknown>,
  runtime: Runtime,
  cases: readonly string[],
): Promise<ReadonlyMap<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const keep = ({ case: name, outcome }: { case?: string; outcome?: Outcome }): void => {
    if (name !== undefined && outcome !== undefined) outcomes.set(name, outcome);
  };
  let reason = 'no result';
  try {
    const chosen = { cases, place: 'host', seconds: Number.POSITIVE_INFINITY } as const;
    await runOutside(engine, runtime, chosen, keep, false);
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  for (const name of cases) if (!outcomes.has(name)) outcomes.set(name, { verdict: 'fail', reason });
  return outcomes;
}

/**
 * Runs the cases. One that fails is tried a second time: engines have races of their own (what a terminal prints last, a
 * daemon that starts too slowly). What fails here with runc as well is not our fault, but the engine's version's or this
 * host's, and counts as skipped.
 */
async function judged(
  engine: Engine<unknown>,
  runtime: Runtime,
  cases: readonly string[],
): Promise<ReadonlyMap<string, Outcome>> {
  const outcomes = new Map(await outcomesOf(engine, runtime, cases));
  const isKnown = (name: string) => engine.cases.find((one) => one.name === name)?.known !== undefined;
  const stillFailing = () => cases.filter((name) => outcomes.get(name)?.verdict === 'fail' && !isKnown(name));
  const first = stillFailing();
  if (first.length > 0) {
    const again = await outcomesOf(engine, runtime, first);
    for (const name of first) {
      const outcome = again.get(name)!;
      const { reason } = outcomes.get(name)!;
      outcomes.set(
        name,
        outcome.verdict === 'pass'
          ? { verdict: 'pass', reason: `at the second try; at the first: ${reason}` }
          : outcome,
      );
    }
  }
  const failed = stillFailing();
  const [other] = failed.length > 0 ? findRuntimes(['runc']) : [];
  if (other === undefined) return outcomes;
  const others = await outcomesOf(engine, other, failed);
  for (const name of failed) {
    const { verdict, reason } = others.get(name)!;
    if (verdict !== 'pass')
      outcomes.set(name, { verdict: 'skip', reason: `not with runc either: ${reason.split('\n')[0]}` });
  }
  return outcomes;
}

/**
 * A test for each case; all are skipped where the engine can't run. Nothing is installed, no result is kept.
 *
 * @param only - names, where all cases would take more than a minute
 */
export function testEngine<Box>(typed: Engine<Box>, only?: readonly string[]): void {
  const engine = typed as Engine<unknown>;
  const cases = casesOf(engine, 'host').filter((name) => only?.includes(name) ?? true);
  const runtime = findRuntimes([process.env.RUNTS ?? 'runts'])[0];
  const missing = missingForEngine(engine);
  const reason =
    missing === false
      ? (runtime === undefined && 'the runtime is not there') || missingWorld()
      : `${missing}; then: npm run conformance -- ${engine.name}`;
  describe(engine.title, { skip: reason }, () => {
    let outcomes: Promise<ReadonlyMap<string, Outcome>> | undefined;
    for (const name of cases) {
      const known = engine.cases.find((one) => one.name === name)?.known;
      test(name, async (t) => {
        outcomes ??= judged(engine, runtime!, cases);
        const { verdict, reason } = (await outcomes).get(name)!;
        if (verdict === 'skip') t.skip(reason);
        else if (verdict === 'fail' && known !== undefined) t.todo(known);
        else if (verdict === 'fail') throw new Error(reason);
        else if (reason !== '') t.diagnostic(reason);
      });
    }
  });
}
