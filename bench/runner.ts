/**
 * Runs plans: with the C helper, or from here where there is no C compiler.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { decodeResults, encodePlan, type Sample, type SampleResult, type StepResult } from './plan.ts';

/** Runs samples in order. */
export interface Runner {
  /** What measures, for the report. */
  description: string;
  run(samples: readonly Sample[], progress: (index: number) => string | undefined): SampleResult[];
}

/** The environment of the commands: what the caller has set (certificates, preloads) is not measured. */
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

function compile(source: string, output: string): boolean {
  return [['-static'], []].some(
    (flags) => spawnSync('cc', ['-O2', ...flags, '-o', output, source], { stdio: 'ignore' }).status === 0,
  );
}

function helperRunner(helper: string, workFolder: string, timeoutMs: number): Runner {
  return {
    description: 'C helper (posix_spawn, wait4)',
    run(samples, progress) {
      const plan = `${workFolder}/plan`;
      const results = `${workFolder}/results`;
      writeFileSync(plan, encodePlan(samples, progress));
      const { status, signal, error } = spawnSync(
        helper,
        [plan, results, `${workFolder}/stderr`, String(timeoutMs)],
        { stdio: 'inherit' },
      );
      if (signal === 'SIGINT' || signal === 'SIGTERM') process.exit(130);
      if (status !== 0) {
        throw new Error(`the helper failed: ${error?.message ?? signal ?? `status ${status}`}`);
      }
      return decodeResults(readFileSync(results, 'utf8'), samples.length);
    },
  };
}

function ended(pid: number): boolean {
  try {
    // The state follows the command name in parentheses, which may contain anything.
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function runSlowly(sample: Sample, timeoutMs: number, stderrFile: string): SampleResult {
  const steps: StepResult[] = [];
  const failures: SampleResult['failures'] = [];
  const begun = process.hrtime.bigint();
  sample.lanes.forEach((lane, laneIndex) => {
    if (lane.pidFile !== undefined) rmSync(lane.pidFile, { force: true });
    let failed = false;
    lane.steps.forEach((step, stepIndex) => {
      if ((step.kind === 'clean') !== failed) return;
      const from = process.hrtime.bigint();
      let status = 0;
      let text = '';
      if (step.kind === 'wait') {
        const pid = Number(readFileSync(lane.pidFile as string, 'utf8'));
        for (let waited = 0; !ended(pid) && waited < timeoutMs; waited++) sleep(1);
        if (!ended(pid)) status = -1;
      } else {
        // A file: the container inherits it, and a pipe would keep spawnSync waiting for the container's end.
        const stderr = openSync(stderrFile, 'w');
        const result = spawnSync(step.argv[0] as string, step.argv.slice(1), {
          stdio: ['ignore', 'ignore', stderr],
          env: environment,
          timeout: timeoutMs,
          killSignal: 'SIGKILL',
        });
        closeSync(stderr);
        const signal = result.signal === null ? 0 : constants.signals[result.signal];
        if (result.status !== null) status = result.status;
        else if ((result.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') status = -1;
        else status = signal === 0 ? 127 : 128 + signal;
        if (status !== 0) {
          text = result.error?.message ?? readFileSync(stderrFile, 'utf8');
          text = text.replace(/\s+/g, ' ').trim().slice(0, 400);
        }
      }
      const wallNs = Number(process.hrtime.bigint() - from);
      steps.push({
        lane: laneIndex,
        step: stepIndex,
        wallNs,
        userUs: 0,
        sysUs: 0,
        maxRssKB: undefined,
        status,
      });
      if (status !== 0 && !failed) failures.push({ lane: laneIndex, step: stepIndex, status, text });
      failed ||= status !== 0;
    });
  });
  return { wallNs: Number(process.hrtime.bigint() - begun), cpuUs: undefined, steps, failures };
}

/** How to run. */
export interface RunnerOptions {
  /** Longest time of one sample (with the helper) or of one command (without). */
  timeoutMs?: number;
  /** Leave the helper out even if it could be compiled. */
  slow?: boolean;
}

/** A runner for this machine; its helper is compiled into the work folder. */
export function makeRunner(workFolder: string, { timeoutMs = 20_000, slow }: RunnerOptions = {}): Runner {
  const helper = `${workFolder}/spawn`;
  const source = fileURLToPath(new URL('./spawn.c', import.meta.url));
  if (!slow && (existsSync(helper) || compile(source, helper))) {
    return helperRunner(helper, workFolder, timeoutMs);
  }
  return {
    description:
      'no C compiler: timed from Node, without processor time and peak memory, lanes one at a time; not precise',
    run: (samples) => samples.map((sample) => runSlowly(sample, timeoutMs, `${workFolder}/stderr`)),
  };
}
