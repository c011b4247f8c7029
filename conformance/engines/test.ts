/**
 * An engine's cases on this host as tests, for `npm test`.
 *
 * @module
 */
import { describe, test } from 'node:test';
import type { Engine } from './engine.ts';
import { runOutside } from './inside.ts';
import { casesOf, findRuntimes, missingForEngine } from './options.ts';
import type { Outcome } from './report.ts';

/**
 * A test for each case; all are skipped where the engine isn't installed. Nothing is installed, no result is kept.
 *
 * @param only - names, where all cases would take more than a minute
 */
export function testEngine<Box>(typed: Engine<Box>, only?: readonly string[]): void {
  const engine = typed as Engine<unknown>;
  const cases = casesOf(engine, 'host').filter((name) => only?.includes(name) ?? true);
  const runtime = findRuntimes([process.env.RUNTS ?? 'runts'])[0];
  const missing = missingForEngine(engine);
  const reason = missing === false ? runtime === undefined && 'the runtime is not there' : missing;
  const skip = reason !== false && `${reason}; then: npm run conformance -- ${engine.name}`;
  describe(engine.title, { skip }, () => {
    const outcomes = new Map<string, Outcome>();
    let started: Promise<void> | undefined;
    const start = () =>
      runOutside(
        engine,
        runtime!,
        { cases, place: 'host', userMode: false, seconds: Infinity },
        ({ case: name, outcome }) => {
          if (name !== undefined && outcome !== undefined) outcomes.set(name, outcome);
        },
        false,
      );
    for (const name of cases) {
      const known = engine.cases.find((one) => one.name === name)?.known;
      test(name, async (t) => {
        started ??= start();
        await started;
        const { verdict, reason } = outcomes.get(name) ?? { verdict: 'fail', reason: 'no result' };
        if (verdict === 'skip') t.skip(reason);
        else if (verdict === 'fail' && known !== undefined) t.todo(known);
        else if (verdict === 'fail') throw new Error(reason);
      });
    }
  });
}
