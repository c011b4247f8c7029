import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { ReadStream } from 'node:tty';
import { attributes, setWindowSize } from '../../ffi/terminal.ts';
import { buildPrograms } from '../../test/harness/engines.ts';
import { openTerminal, type Scenario } from './testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'runts-relay-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const programs = await buildPrograms(join(import.meta.dirname, 'testing.ts'));
const TIMEOUT = 20_000;

/** A shell's command line. */
const sh = (text: string): Scenario => ({ command: ['sh', '-c', text] });

/** Something in the background that the test waits for with a limit. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`timed out: ${what}`);
}

for (const [engine, program] of Object.entries(programs)) {
  const [file, ...args] = program;
  const argumentsOf = (scenario: Scenario): string[] => [...args, JSON.stringify(scenario)];

  describe(`terminal relay between pipes on ${engine}`, () => {
    const run = (scenario: Scenario, input: string | number = '') =>
      spawnSync(file!, argumentsOf(scenario), {
        ...(typeof input === 'string' ? { input } : {}),
        stdio: [typeof input === 'string' ? 'pipe' : input, 'pipe', 'pipe'],
        encoding: 'utf8',
        timeout: TIMEOUT,
        maxBuffer: 1 << 26,
      });

    test('nothing of the output is lost when the command exits right after it', () => {
      const { status, stdout, stderr } = run(
        sh('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; exit 7'),
      );
      assert.equal(stderr, '');
      const lines = stdout.split('\r\n');
      assert.deepEqual(
        [lines.length, lines[0], lines[19_999], lines[20_000]],
        [20_001, 'line 0', 'line 19999', ''],
      );
      assert.equal(status, 7);
    });

    test('a slow reader gets everything', async () => {
      const child = spawn(file!, argumentsOf(sh('seq 1 100000; echo end')), { stdio: ['ignore', 'pipe', 2] });
      await new Promise((resolve) => setTimeout(resolve, 700));
      let text = '';
      for await (const chunk of child.stdout!) text += String(chunk);
      assert.match(text, /\n100000\r\nend\r\n$/);
      assert.equal(
        text.length,
        Array.from({ length: 100_000 }, (_, i) => `${i + 1}\r\n`).join('').length + 5,
      );
    });

    test('the end of the input is the end of the terminal’s input', () => {
      assert.equal(run(sh('cat; echo "<"'), 'one\ntwo\n').stdout, 'one\r\ntwo\r\n<\r\n');
      assert.equal(run(sh('cat; echo "<"'), 'unfinished').stdout, 'unfinished<\r\n');
      assert.equal(run(sh('cat; echo "<"'), '').stdout, '<\r\n');
    });

    test('the input may be a file', () => {
      const path = join(folder, `input-${engine}`);
      writeFileSync(path, Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(''));
      const input = openSync(path, 'r');
      try {
        assert.equal(run(sh('wc -l'), input).stdout, '5000\r\n');
      } finally {
        closeSync(input);
      }
    });

    test('input that nobody reads does not hold up the output', () => {
      const { stdout, status } = run(sh('sleep 0.3; seq 1 20000; exit 3'), 'x'.repeat(500_000));
      assert.match(stdout, /20000\r\n$/);
      assert.equal(status, 3);
    });

    test('what is left in the background neither holds up the end nor is it waited for', () => {
      const began = performance.now();
      // Without SIGHUP it goes on after the session's leader.
      const { stdout } = run(
        sh('trap "" HUP; (while echo more; do :; done 2>/dev/null) & sleep 0.2; exit 0'),
      );
      assert.match(stdout, /more/);
      assert.ok(performance.now() - began < 10_000);
    });

    test('a terminal that was closed by all can be opened again', () => {
      const { stdout } = run(sh('echo one; exec <&- >&- 2>&-; sleep 0.4; exec >/dev/tty; echo two'));
      assert.equal(stdout, 'one\r\ntwo\r\n');
    });

    test('a closed output hangs the terminal up', async () => {
      const child = spawn(
        file!,
        argumentsOf({ command: ['sh', '-c', 'while echo y; do :; done 2>/dev/null'] }),
        {
          stdio: ['pipe', 'pipe', 'pipe'],
        },
      );
      const ended = once(child, 'exit');
      await once(child.stdout!, 'data');
      child.stdout!.destroy();
      const [code] = (await ended) as [number];
      assert.equal(code, 128 + 1);
    });

    test('signals are forwarded, each but the engine’s own', async () => {
      const child = spawn(file!, argumentsOf({ signals: true }), { stdio: ['ignore', 'pipe', 2] });
      let text = '';
      child.stdout!.on('data', (chunk) => {
        text += String(chunk);
      });
      await until('the handlers', () => text.includes('\n'));
      const numbers = text.trim().split(' ').map(Number);
      for (const signal of numbers.filter((n) => n !== 15)) {
        process.kill(child.pid!, signal);
        // SIGTSTP makes the kernel forget a pending SIGCONT.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      process.kill(child.pid!, 15);
      const [code] = (await once(child, 'close')) as [number];
      assert.equal(code, 0);
      const [, seen] = text.trim().split('\n');
      assert.deepEqual(
        seen!
          .split(' ')
          .map(Number)
          .sort((a, b) => a - b),
        numbers,
      );
    });
  });

  describe(`terminal relay on a terminal on ${engine}`, () => {
    /** The program on a terminal that the test holds the other end of. */
    function start(t: TestContext, scenario: Scenario) {
      const { master, peer } = openTerminal();
      setWindowSize(master, { rows: 33, columns: 77 });
      const before = attributes(peer);
      const command = ['--ctty', '--wait', file!, ...argumentsOf(scenario)];
      const child: ChildProcess = spawn('setsid', command, { stdio: [peer, peer, peer] });
      const screen = new ReadStream(master);
      const session = {
        text: '',
        master,
        /** The flags of the terminal's modes are as they were before the program began. */
        isRestored: () => Buffer.compare(attributes(peer), before) === 0,
        ended: once(child, 'exit') as Promise<[number | null, string | null]>,
        sees: (what: string) => until(JSON.stringify(what), () => session.text.includes(what)),
      };
      screen.on('data', (chunk) => {
        session.text += String(chunk);
      });
      screen.on('error', () => {});
      t.after(() => {
        child.kill('SIGKILL');
        screen.destroy();
        closeSync(peer);
      });
      return session;
    }

    test('raw mode: each key goes to the container as it is, and the mode is restored', async (t) => {
      const session = start(t, {
        command: [
          'sh',
          '-c',
          'trap "echo INT" INT; echo ready; while :; do read a && echo "<$a>"; [ "$a" = q ] && exit 5; done',
        ],
        echo: true,
      });
      await session.sees('ready\r\n');
      assert.equal(session.isRestored(), false);
      writeSync(session.master, 'abc\r');
      // Echoed once, by the container's terminal.
      await session.sees('abc\r\n<abc>\r\n');
      assert.equal(session.text.split('abc').length, 3);
      writeSync(session.master, '\x03');
      await session.sees('^CINT\r\n');
      writeSync(session.master, 'q\r');
      assert.deepEqual(await session.ended, [5, null]);
      assert.ok(session.isRestored());
    });

    test('the size follows', async (t) => {
      const session = start(t, {
        command: ['sh', '-c', 'trap "stty size" WINCH; stty size; while :; do read a && exit; done'],
      });
      await session.sees('33 77\r\n');
      setWindowSize(session.master, { rows: 44, columns: 132 });
      await session.sees('44 132\r\n');
      writeSync(session.master, '\n');
      await session.ended;
    });

    for (const mishap of ['throw', 'exit'] as const) {
      test(`the mode is restored when the program ends by ${mishap}`, async (t) => {
        const session = start(t, { command: ['sh', '-c', 'echo ready; sleep 30'], mishap });
        await session.sees('ready');
        const [code] = await session.ended;
        assert.equal(code, mishap === 'exit' ? 9 : 1);
        assert.ok(session.isRestored());
      });
    }
  });
}
