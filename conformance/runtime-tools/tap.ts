/**
 * What a validation program's output says. The programs print TAP (Test Anything Protocol), some by way of the
 * container that they start. Some assert nothing: they print an "error" in a diagnostic when something is wrong, and
 * nothing when it isn't, and exit 0 either way. Their standard error also has the errors that they provoke.
 *
 * @module
 */

export type Verdict = 'pass' | 'fail' | 'skip';

export interface Outcome {
  readonly verdict: Verdict;
  /** Assertions that hold, that don't, and that were left out by the program. */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why it isn't a pass, in one line. */
  readonly reason: string;
}

/** What the runner knows of one run of a program. */
export interface Run {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; undefined when a signal or the time limit ended it. */
  readonly status: number | undefined;
  readonly timedOut: boolean;
}

/** Longest reason, in characters. */
const REASON_LENGTH = 300;

function shorten(text: string): string {
  // Of a panic only what it says: the trace has the paths of whoever built the program.
  const line = text
    .replace(/\s+goroutine \d+ .*/s, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return line.length <= REASON_LENGTH ? line : `${line.slice(0, REASON_LENGTH)}…`;
}

/** The error of a diagnostic that belongs to no assertion, as YAML or as JSON. */
const DIAGNOSTIC = /^ +"?error"?: (.*)/m;

/** Reads the output of one program. Only lines at the margin count: a diagnostic may quote other assertions. */
export function outcomeOf({ stdout, stderr, status, timedOut }: Run): Outcome {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  let planned: number | undefined;
  const complaints: string[] = [];
  for (const line of stdout.split('\n')) {
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan !== null) planned = Number(plan[1]);
    const assertion = /^(not )?ok\b(.*)/.exec(line);
    if (assertion === null) continue;
    const [, not, text = ''] = assertion;
    if (/# *skip/i.test(text)) skipped++;
    else if (not === undefined) passed++;
    else if (!/# *todo/i.test(text)) {
      failed++;
      complaints.push(text.replace(/^[\s\d-]+/, ''));
    }
  }
  const total = passed + failed + skipped;
  const errors = stderr.trim();
  let reason = '';
  if (timedOut) reason = `no end within the time limit. ${errors}`;
  else if (failed > 0) reason = complaints.join('; ');
  else if (status !== 0) reason = `exit code ${status ?? 'none'}. ${errors || stdout}`;
  else if (total === 0) reason = DIAGNOSTIC.exec(stdout)?.[1] ?? '';
  // A plan of 1..0 says that everything was left out.
  else if (planned !== undefined && planned > total) reason = `${total} of ${planned} assertions. ${errors}`;
  else if (passed === 0)
    reason = shorten(stdout.match(/# *skip *(.*)/i)?.[1] ?? 'all assertions were skipped');
  const onlySkipped =
    reason !== '' && !timedOut && failed === 0 && status === 0 && passed === 0 && skipped > 0;
  const verdict = reason === '' ? 'pass' : onlySkipped ? 'skip' : 'fail';
  return { verdict, passed, failed, skipped, reason: shorten(reason) };
}
