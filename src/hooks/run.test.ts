import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { buildPrograms } from '../../test/harness/engines.ts';
import type { Hook } from '../spec/types.ts';
import type { Result, Scenario } from './testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'runts-hooks-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const programs = await buildPrograms(join(import.meta.dirname, 'testing.ts'));
const ENGINES = Object.entries(programs);

function play([file, ...args]: readonly string[], scenario: Scenario): Result {
  const run = spawnSync(file!, args, {
    input: JSON.stringify(scenario),
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as Result;
}

let scripts = 0;
/** A script in a file of its own. */
function script(text: string, mode = 0o755, firstLine = '#!/bin/sh\n'): string {
  const path = join(folder, `hook-${scripts++}`);
  writeFileSync(path, firstLine + text, { mode });
  return path;
}

/** Where a script leaves something for the test. */
function outFile(): string {
  return join(folder, `out-${scripts++}`);
}

const STATE = { ociVersion: '1.3.0', id: 'box', status: 'creating', pid: 4711, bundle: folder };

for (const [engine, program] of ENGINES) {
  describe(`hooks on ${engine}`, () => {
    const hooks = (list: Hook[], state: object = STATE, phase: Scenario['phase'] = 'createRuntime') => {
      const result = play(program, { phase, hooks: list, state });
      assert.deepEqual(result.leaked, [], 'descriptors are left open');
      return result;
    };

    test('run in order, with the state on their standard input', () => {
      const out = outFile();
      const first = script(`cat >> ${out}; echo >> ${out}`);
      const second = script(`echo second >> ${out}`);
      const { error } = hooks([{ path: first }, { path: second }]);
      assert.equal(error, undefined);
      const [state, last] = readFileSync(out, 'utf8').split('\n');
      assert.deepEqual(JSON.parse(state!), STATE);
      assert.equal(last, 'second');
    });

    test('get their arguments, argv[0] included, and their environment, and nothing else', () => {
      const out = outFile();
      const text = `tr '\\0' '|' < /proc/$$/cmdline >${out}; tr '\\0' '|' < /proc/$$/environ >>${out}`;
      hooks([{ path: '/bin/sh', args: ['name of its own', '-c', text, 'a b', ''], env: ['A=1', 'B=x=y'] }]);
      assert.equal(readFileSync(out, 'utf8'), `name of its own|-c|${text}|a b||A=1|B=x=y|`);
      hooks([{ path: '/bin/sh', args: ['sh', '-c', `cat /proc/$$/environ > ${out}`] }]);
      assert.equal(readFileSync(out, 'utf8'), '');
    });

    test('start with default signals, no descriptor of the runtime, in the bundle, in a session of their own', () => {
      const out = outFile();
      /** What a program prints as the hook: the shell that starts it would have signals and files of its own. */
      const printed = (command: string): string[] => {
        hooks([
          { path: '/bin/sh', args: ['sh', '-c', `exec ${command} >${out}`], env: ['PATH=/bin:/usr/bin'] },
        ]);
        return readFileSync(out, 'utf8').trim().split('\n');
      };
      const [blocked, ignored] = printed("grep -E 'Sig(Blk|Ign)' /proc/self/status");
      assert.match(blocked!, /SigBlk:\s0{16}$/);
      assert.match(ignored!, /SigIgn:\s0{16}$/);
      // 3 is the folder that it lists.
      assert.deepEqual(printed('ls /proc/self/fd'), ['0', '1', '2', '3']);
      assert.deepEqual(printed('readlink /proc/self/cwd'), [folder]);
      const [pid, , , , group, session] = printed('cat /proc/self/stat')[0]!.split(' ');
      assert.deepEqual([group, session], [pid, pid]);
    });

    test('may open /dev/stdin, /dev/stdout and /dev/stderr', () => {
      const path = script('read state </dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr; exit 1');
      const { error } = hooks([{ path }]);
      assert.equal(
        error?.message,
        'error running createRuntime hook #0: exit status 1, stdout: out, stderr: err',
      );
    });

    test('fail with status, output and index; the ones behind do not run', () => {
      const out = outFile();
      const failing = script('echo what; echo why >&2; exit 3');
      const last = script(`touch ${out}`);
      const { error } = hooks([{ path: script('exit 0') }, { path: failing }, { path: last }]);
      assert.deepEqual(error, {
        code: 'E_HOOK',
        message: 'error running createRuntime hook #1: exit status 3, stdout: what, stderr: why',
        field: 'hooks.createRuntime[1]',
      });
      assert.equal(existsSync(out), false);
    });

    test('fail by a signal', () => {
      const { error } = hooks([{ path: script('kill -KILL $$') }], STATE, 'poststart');
      assert.equal(error?.message, 'error running poststart hook #0: signal: killed, stdout: , stderr: ');
      const other = hooks([{ path: script('kill -USR1 $$') }]);
      assert.match(other.error!.message, /#0: signal: SIGUSR1, stdout/);
    });

    test('fail when they cannot be started, with errno and remedy', () => {
      const missing = hooks([{ path: '/no/such/hook' }]);
      assert.deepEqual(missing.error, {
        code: 'E_HOOK',
        message: 'error running createRuntime hook #0: fork/exec /no/such/hook: no such file or directory',
        field: 'hooks.createRuntime[0]',
        errno: 'ENOENT',
      });
      const cases: [string, RegExp][] = [
        [script('', 0o644), /fork\/exec \S+: permission denied \(it must be an executable file/],
        [folder, /permission denied/],
        [script('', 0o755, '#!/no/such/interpreter\n'), /no such file or directory \(the interpreter that/],
        [script('exit 0', 0o755, ''), /exec format error \(a script needs #!/],
      ];
      for (const [path, message] of cases) assert.match(hooks([{ path }]).error!.message, message);
    });

    test('are killed with their children after their timeout', async () => {
      const out = outFile();
      const path = script(`echo begun; sleep 61 & echo $! > ${out}; sleep 61`);
      const { error, elapsedMs } = hooks([{ path, timeout: 1 }]);
      assert.equal(
        error?.message,
        'error running createRuntime hook #0: hook ran past specified timeout of 1.0s, stdout: begun, stderr: ',
      );
      assert.ok(elapsedMs >= 1000 && elapsedMs < 3000, `${elapsedMs} ms`);
      const child = readFileSync(out, 'utf8').trim();
      await waitUntil(() => !isRunning(child));
    });

    test('within their timeout succeed', () => {
      assert.equal(hooks([{ path: '/bin/true', timeout: 30 }]).error, undefined);
    });

    test('may print without end; the end of it is told', () => {
      const path = script(
        'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; echo wrong >&2; exit 1',
      );
      const { error } = hooks([{ path }]);
      assert.match(error!.message, /stdout: \[\d+ bytes left out\] [\s\S]*\nline 19999, stderr: wrong$/);
      assert.ok(error!.message.length < 9000);
    });

    test('need not read a state that fills the pipe, nor keep their input open', () => {
      const large = { ...STATE, annotations: { text: 'x'.repeat(300_000) } };
      assert.equal(hooks([{ path: '/bin/true' }], large).error, undefined);
      assert.equal(hooks([{ path: script('exec <&-; sleep 0.1') }], large).error, undefined);
      const out = outFile();
      assert.equal(hooks([{ path: script(`cat > ${out}`) }], large).error, undefined);
      assert.equal(readFileSync(out, 'utf8'), JSON.stringify(large));
    });

    test('may leave children in the background that hold the pipes', () => {
      const out = outFile();
      const path = script(`sleep 30 & echo $! > ${out}; echo done; exit 1`);
      const { error, elapsedMs } = hooks([{ path }]);
      assert.match(error!.message, /exit status 1, stdout: done, stderr: $/);
      assert.ok(elapsedMs < 5000, `${elapsedMs} ms`);
      const child = readFileSync(out, 'utf8').trim();
      assert.ok(isRunning(child));
      process.kill(Number(child), 'SIGKILL');
    });

    test('of poststop all run, and fail with a warning only', () => {
      const out = outFile();
      const list = [{ path: '/no/such' }, { path: script('exit 1') }, { path: script(`touch ${out}`) }];
      const { error } = hooks(list, STATE, 'poststop');
      assert.equal(error, undefined);
      assert.ok(existsSync(out));
    });

    test('start also where the bundle is gone', () => {
      assert.equal(hooks([{ path: '/bin/true' }], { ...STATE, bundle: '/no/such' }).error, undefined);
    });

    test('die with the runtime', async () => {
      const out = outFile();
      const path = script(`echo $$ > ${out}.new; mv ${out}.new ${out}; exec sleep 61`);
      const [file, ...args] = program!;
      const runtime = spawn(file!, args);
      runtime.stdin.end(JSON.stringify({ phase: 'prestart', hooks: [{ path }], state: STATE }));
      await waitUntil(() => existsSync(out));
      runtime.kill('SIGKILL');
      await once(runtime, 'exit');
      await waitUntil(() => !isRunning(readFileSync(out, 'utf8').trim()));
    });
  });
}

function isRunning(pid: string): boolean {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function waitUntil(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 250 && !condition(); i++) await delay(20);
  assert.ok(condition());
}
