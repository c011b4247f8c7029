import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, writeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { ReadStream } from 'node:tty';
import { attributes, setWindowSize } from '../ffi/terminal.ts';
import { openTerminal } from '../src/terminal/testing.ts';
import {
  atEnd,
  type Bundle,
  missing,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';

const { skip: noWorld } = privateWorld();
const skip = noWorld || missing('setsid');

function terminalBundle(t: TestContext, command: string): Bundle {
  return tempBundle(t, {
    args: ['sh', '-c', command],
    config: (spec) => {
      spec.process.terminal = true;
    },
  });
}

/** `run` on a terminal that the test has the other end of. */
function runOnTerminal(t: TestContext, runtime: Runtime, bundle: Bundle) {
  const { master, peer } = openTerminal();
  setWindowSize(master, { rows: 33, columns: 77 });
  const before = attributes(peer);
  const root = `${temporaryFolder(t)}/state`;
  const id = uniqueId();
  const command = [...runtime.command, '--root', root, 'run', '--bundle', bundle.path, id];
  const child = spawn('setsid', ['--ctty', '--wait', ...command], { stdio: [peer, peer, peer] });
  const screen = new ReadStream(master);
  const terminal = {
    text: '',
    id,
    pid: child.pid!,
    ended: once(child, 'exit') as Promise<[number | null, string | null]>,
    type: (text: string) => writeSync(master, text),
    resize: (rows: number, columns: number) => setWindowSize(master, { rows, columns }),
    isRestored: () => Buffer.compare(attributes(peer), before) === 0,
    sees: async (what: string) => {
      for (let i = 0; i < 500 && !terminal.text.includes(what); i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.ok(terminal.text.includes(what), `${JSON.stringify(what)} in ${JSON.stringify(terminal.text)}`);
    },
  };
  screen.on('data', (chunk) => {
    terminal.text += String(chunk);
  });
  screen.on('error', () => {});
  atEnd(t, 'containers', () => {
    child.kill('SIGKILL');
    screen.destroy();
    closeSync(peer);
  });
  return terminal;
}

for (const runtime of runtimes()) {
  test(`${runtime.name}: a shell on a terminal`, { skip }, async (t) => {
    const terminal = runOnTerminal(t, runtime, terminalBundle(t, 'echo ready; tty; stty size; exec sh'));
    await terminal.sees('ready\r\n');
    await terminal.sees('/dev/pts/0\r\n33 77\r\n');
    terminal.type('echo $((6*7))\r');
    await terminal.sees('\r\n42\r\n');
    terminal.type('ls -l /dev/console | cut -c1; test -t 0 && test -t 1 && test -t 2 && echo tty $?\r');
    await terminal.sees('\r\nc\r\ntty 0\r\n');
    terminal.type('trap "echo resized to $(stty size >/dev/null; true)" WINCH; echo armed\r');
    await terminal.sees('\r\narmed\r\n');
    terminal.resize(40, 100);
    terminal.type('stty size\r');
    await terminal.sees('\r\n40 100\r\n');
    terminal.type('exit 7\r');
    assert.deepEqual(await terminal.ended, [7, null]);
    assert.ok(terminal.isRestored());
  });

  test(`${runtime.name}: keys that are signals go to the container, not to the runtime`, {
    skip,
  }, async (t) => {
    const command = 'trap "echo interrupted" INT; echo ready; while ! read x; do :; done; echo "got $x"';
    const terminal = runOnTerminal(t, runtime, terminalBundle(t, command));
    await terminal.sees('ready\r\n');
    terminal.type('\x03');
    await terminal.sees('interrupted\r\n');
    terminal.type('line\r');
    await terminal.sees('got line\r\n');
    assert.deepEqual(await terminal.ended, [0, null]);
  });

  test(`${runtime.name}: a signal to the runtime is the container's`, { skip }, async (t) => {
    const command = 'trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.1; done';
    const terminal = runOnTerminal(t, runtime, terminalBundle(t, command));
    await terminal.sees('ready\r\n');
    process.kill(terminal.pid, 'SIGTERM');
    await terminal.sees('term\r\n');
    assert.deepEqual(await terminal.ended, [9, null]);
    assert.ok(terminal.isRestored());
  });

  test(`${runtime.name}: a terminal between pipes`, { skip }, (t) => {
    const bundle = terminalBundle(t, 'stty -echo; cat; echo end');
    const { code, stdout } = session(t, runtime).run(bundle, { input: 'one\ntwo\n' });
    assert.equal(code, 0);
    assert.match(stdout, /one\r\ntwo\r\nend\r\n$/);
  });

  test(`${runtime.name}: consoleSize, where the runtime has no terminal`, { skip }, (t) => {
    const bundle = terminalBundle(t, 'stty size');
    bundle.config.process.consoleSize = { height: 21, width: 43 };
    bundle.save();
    assert.equal(session(t, runtime).run(bundle).stdout, '21 43\r\n');
  });

  test(`${runtime.name}: nothing of the output is lost`, { skip }, (t) => {
    const { code, stdout } = session(t, runtime).run(terminalBundle(t, 'seq 1 20000; exit 3'));
    assert.equal(code, 3);
    assert.equal(stdout.split('\r\n').length, 20_001);
  });

  test(`${runtime.name}: signals to run without a terminal`, { skip }, async (t) => {
    const s = session(t, runtime);
    const command = `for s in HUP INT QUIT USR1 USR2 ALRM CONT; do trap "echo got $s" $s; done
      trap "exit 11" TERM; echo ready; while :; do sleep 0.05; done`;
    const bundle = tempBundle(t, { args: ['sh', '-c', command] });
    const child = s.spawn(['run', '--bundle', bundle.path, uniqueId()]);
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += String(chunk);
    });
    const sees = async (what: string): Promise<void> => {
      for (let i = 0; i < 500 && !text.includes(what); i++)
        await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(text.includes(what), text);
    };
    await sees('ready');
    for (const name of ['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'ALRM', 'CONT']) {
      child.kill(`SIG${name}` as NodeJS.Signals);
      await sees(`got ${name}`);
    }
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [11, null]);
  });

  // In the host's pid namespace: a signal without a handler is dropped for the first process of a new one.
  for (const number of [30, 34, 37, 64]) {
    const left =
      number > 31 && runtime.name.includes('Node') ? 'Node can’t catch the real-time signals' : undefined;
    test(`${runtime.name}: signal ${number} to run and to exec is the container's`, {
      skip: skip || left,
    }, async (t) => {
      const command = 'trap "exit 1" TERM; echo ready; while :; do sleep 0.05; done';
      const bundle = terminalBundle(t, command);
      bundle.config.linux.namespaces = bundle.config.linux.namespaces.filter(({ type }) => type !== 'pid');
      bundle.save();
      const terminal = runOnTerminal(t, runtime, bundle);
      await terminal.sees('ready\r\n');
      process.kill(terminal.pid, number);
      assert.deepEqual(await terminal.ended, [128 + number, null]);
      assert.ok(terminal.isRestored());

      const s = session(t, runtime);
      const { id } = s.detach(tempBundle(t, { args: ['sleep', '1000'] }));
      const child = s.spawn(['exec', id, 'sh', '-c', command]);
      await once(child.stdout!, 'data');
      process.kill(child.pid!, number);
      assert.deepEqual(await once(child, 'exit'), [128 + number, null]);
    });
  }

  test(`${runtime.name}: a command that a signal ends`, { skip }, (t) => {
    const bundle = tempBundle(t, { args: ['sh', '-c', 'kill -KILL $$; sleep 5'] });
    bundle.config.linux.namespaces = bundle.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    bundle.save();
    assert.equal(session(t, runtime).run(bundle).code, 128 + 9);
  });
}
