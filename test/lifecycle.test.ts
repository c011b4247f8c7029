/** What each command does in each state of a container, and what it refuses, in the words that callers match. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SPEC_VERSION } from '../src/version.ts';
import {
  type Bundle,
  privateWorld,
  type Result,
  runtimes,
  type Session,
  session,
  uniqueId,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { scriptBundle, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** Makes a container that is in a certain state. */
const REACH = {
  created: (s: Session, bundle: Bundle): string => {
    const { id, code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    return id;
  },
  running: (s: Session, bundle: Bundle): string => {
    const id = REACH.created(s, bundle);
    s.ok(['start', id]);
    return id;
  },
  stopped: async (s: Session, bundle: Bundle): Promise<string> => {
    const id = REACH.running(s, bundle);
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    return id;
  },
  unknown: (): string => uniqueId('unknown'),
} as const;

type Status = keyof typeof REACH;

/** Commands that are refused, by state: exit code, error code, text. */
const REFUSALS: readonly (readonly [
  state: Status,
  args: string[],
  exit: number,
  code: string,
  text: string,
])[] = [
  ['running', ['start'], 1, 'E_WRONG_STATE', 'cannot start an already running container'],
  ['stopped', ['start'], 1, 'E_WRONG_STATE', 'cannot start a container that has stopped'],
  ['unknown', ['start'], 1, 'E_NOT_FOUND', 'container does not exist'],
  ['stopped', ['kill', 'ID', 'TERM'], 1, 'E_NOT_RUNNING', 'container not running'],
  ['stopped', ['kill', 'ID', '0'], 1, 'E_NOT_RUNNING', 'container not running'],
  ['unknown', ['kill', 'ID', 'TERM'], 1, 'E_NOT_FOUND', 'container does not exist'],
  ['unknown', ['kill', '--all', 'ID', 'TERM'], 1, 'E_NOT_FOUND', 'container does not exist'],
  ['running', ['delete'], 1, 'E_WRONG_STATE', 'cannot delete container ID that is not stopped: running'],
  ['unknown', ['delete'], 1, 'E_NOT_FOUND', 'container does not exist'],
  ['stopped', ['exec', 'ID', 'true'], 255, 'E_WRONG_STATE', 'cannot exec in a stopped container'],
  ['unknown', ['exec', 'ID', 'true'], 255, 'E_NOT_FOUND', 'container does not exist'],
  ['unknown', ['state'], 1, 'E_NOT_FOUND', 'container does not exist'],
];

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  const sleeper = (t: Parameters<typeof scriptBundle>[0]): Bundle => scriptBundle(t, 'exec sleep 60');

  it('from create to delete, with what state says on the way', async (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'echo started; exec sleep 60', {
      config: (spec) => {
        spec.annotations = { 'org.example.key': 'välue\n', empty: '' };
        spec.ociVersion = '1.0.2';
      },
    });
    const before = Date.now();
    const { id, code, output } = s.create(bundle);
    assert.deepEqual([code, output()], [0, '']);
    const created = s.state(id);
    assert.deepEqual(Object.keys(created), [
      ...['ociVersion', 'id', 'pid', 'status', 'bundle', 'rootfs', 'created', 'annotations', 'owner'],
    ]);
    assert.ok(created.pid > 1);
    assert.match(String(created.created), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z$/);
    assert.ok(Math.abs(Date.parse(String(created.created)) - before) < 60_000);
    const { pid, created: _, ...rest } = created;
    assert.deepEqual(rest, {
      // the runtime's, not the config's
      ociVersion: SPEC_VERSION,
      id,
      status: 'created',
      bundle: bundle.path,
      rootfs: bundle.rootfs,
      annotations: { 'org.example.key': 'välue\n', empty: '' },
      owner: '',
    });
    // It waits, and its command has not run.
    assert.notEqual(readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), 'sh');
    assert.equal(s.ok(['start', id]), '');
    assert.deepEqual(s.state(id), { ...created, status: 'running' });
    for (let i = 0; i < 100 && output() === ''; i++) await delay(20);
    assert.equal(output(), 'started\n');
    assert.equal(s.ok(['kill', id]), '');
    // Process 1 of a pid namespace has no default action for SIGTERM.
    assert.equal(s.state(id).status, 'running');
    assert.equal(s.ok(['kill', id, 'SIGKILL']), '');
    await s.waitFor(id, 'stopped');
    assert.deepEqual(s.state(id), { ...created, status: 'stopped', pid: 0 });
    assert.equal(s.ok(['delete', id]), '');
    await s.waitFor(id, 'gone');
  });

  it('delete right after kill: a container that can’t but die is as good as stopped', (t) => {
    const s = session(t, runtime);
    // Many processes to take along: init is long dying.
    const bundle = scriptBundle(t, 'for i in $(seq 200); do sleep 60 & done; echo started; exec sleep 60');
    for (let round = 0; round < 5; round++) {
      const { id, untilPrinted } = s.detach(bundle);
      untilPrinted('started');
      s.ok(['kill', id, 'KILL']);
      s.ok(['delete', id]);
    }
  });

  it('what is refused', async (t) => {
    const s = session(t, runtime);
    const ids: Record<string, string> = {};
    for (const [state, args, exit, code, text] of REFUSALS) {
      const id = ids[state] ?? (await REACH[state](s, sleeper(t)));
      ids[state] = id;
      const argv = args.includes('ID') ? args.map((arg) => (arg === 'ID' ? id : arg)) : [...args, id];
      const result = s.call(argv, { globals: JSON_LOG });
      assert.equal(result.stdout, '');
      const failure = failureOf(result);
      assert.deepEqual([failure.exit, failure.code], [exit, code], `${state}: ${args}: ${failure.msg}`);
      assert.ok(failure.msg.includes(text.replace('ID', id)), failure.msg);
    }
    assert.equal(s.state(ids.running!).status, 'running');
    assert.equal(s.state(ids.stopped!).status, 'stopped');
  });

  it('what is allowed', async (t) => {
    const s = session(t, runtime);
    const created = REACH.created(s, sleeper(t));
    // As runc has it: the created container's namespaces are there to be entered.
    assert.equal(s.ok(['exec', created, 'echo', 'in']), 'in\n');
    assert.equal(s.state(created).status, 'created');
    s.ok(['delete', created]);
    const stopped = await REACH.stopped(s, sleeper(t));
    s.ok(['kill', '--all', stopped, 'KILL']);
    s.ok(['kill', '-a', stopped, '15']);
    s.ok(['delete', '--force', stopped]);
    const running = REACH.running(s, sleeper(t));
    s.ok(['kill', running, '0']);
    s.ok(['delete', '-f', running]);
    const killed = REACH.created(s, sleeper(t));
    s.ok(['kill', killed, 'KILL']);
    await s.waitFor(killed, 'stopped');
    s.ok(['delete', killed]);
    s.ok(['delete', '--force', uniqueId('unknown')]);
  });

  it('an id is taken until its container is deleted', async (t) => {
    const s = session(t, runtime);
    const bundle = sleeper(t);
    const id = REACH.created(s, bundle);
    const again = (command: string): void => {
      const { msg, code, exit } = failureOf(
        s.call([command, '--bundle', bundle.path, id], { globals: JSON_LOG }),
      );
      assert.deepEqual([exit, code], [1, 'E_ID_EXISTS']);
      assert.match(msg, /container with given ID already exists/);
    };
    again('create');
    again('run');
    assert.equal(s.state(id).status, 'created');
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    again('create');
    s.ok(['delete', id]);
    assert.equal(s.create(bundle, { id }).code, 0);
  });

  it('ids', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'true', {
      config: (spec) => {
        delete spec.linux.cgroupsPath;
      },
    });
    const token = uniqueId('id');
    for (const id of [
      `${token}_A.b+c-d`,
      `.${token}`,
      `${token}${'x'.repeat(255 - token.length)}`,
      `0${token}`,
    ]) {
      assert.equal(s.run(bundle, { id }).code, 0, id);
    }
    for (const id of [
      '.',
      '..',
      'a/b',
      '/a',
      '../a',
      'a b',
      'ü',
      'a\nb',
      `a${'x'.repeat(255)}`,
      'a*',
      'a:b',
      '',
    ]) {
      const others = id === '../a' ? [['state'], ['start'], ['kill'], ['delete'], ['exec']] : [];
      for (const args of [['create', '--bundle', bundle.path], ['delete', '--force'], ...others]) {
        const { exit, code, msg } = failureOf(
          s.call([...args, id, ...(args[0] === 'exec' ? ['true'] : [])], { globals: JSON_LOG }),
        );
        assert.deepEqual(
          [exit, code],
          [args[0] === 'exec' ? 255 : 1, 'E_ID_INVALID'],
          `${args} ${JSON.stringify(id)}: ${msg}`,
        );
        assert.match(msg, id === '' ? /container id cannot be empty/ : /invalid container ID format/);
      }
    }
    assert.deepEqual(readdirSync(s.root), []);
  });

  it('kill knows every signal, by number and name', async (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(
      t,
      `for n in 1 2 3 10 12 14 15 23 28 34 64; do trap "echo got $n" $n; done
       echo ready; i=0; while [ $i -lt 400 ]; do sleep 0.05; i=$((i+1)); done`,
    );
    const { id, output } = s.detach(bundle);
    const sees = async (text: string): Promise<void> => {
      for (let i = 0; i < 200 && !output().includes(text); i++) await delay(20);
      assert.ok(output().includes(text), `${text} in ${output()}`);
    };
    await sees('ready');
    const names: [string, number][] = [
      ['HUP', 1],
      ['sigint', 2],
      ['SIGQUIT', 3],
      ['USR1', 10],
      ['12', 12],
      ['Alrm', 14],
      ['TERM', 15],
      ['urg', 23],
      ['SIGWINCH', 28],
      ['RTMIN', 34],
      ['RTMAX', 64],
    ];
    for (const [name, number] of names) {
      s.ok(['kill', id, name]);
      await sees(`got ${number}\n`);
    }
    for (const name of ['SIGNOTHING', '-1', '65', '1.5', 'SIG', '999999999999']) {
      const { exit, code } = failureOf(s.call(['kill', '--', id, name], { globals: JSON_LOG }));
      assert.deepEqual([exit, code], [1, 'E_SIGNAL'], name);
    }
    s.ok(['kill', '--all', id, 'USR1']);
  });

  it('kill --all reaches what a container without a pid namespace leaves', async (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'setsid sleep 60 <&- >&- 2>&- & setsid sleep 61 <&- >&- 2>&- & exit 0', {
      config: (spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid');
      },
    });
    const { id } = s.detach(bundle);
    await s.waitFor(id, 'stopped');
    const sleeping = (): number =>
      readdirSync('/proc').filter((name) => {
        try {
          return /^\d+$/.test(name) && /^sleep\x006[01]/.test(readFileSync(`/proc/${name}/cmdline`, 'utf8'));
        } catch {
          return false;
        }
      }).length;
    // They may still be on their way to becoming what they will be.
    for (let i = 0; i < 100 && sleeping() < 2; i++) await delay(20);
    assert.equal(sleeping(), 2);
    s.ok(['kill', '--all', id, 'KILL']);
    for (let i = 0; i < 100 && sleeping() > 0; i++) await delay(20);
    assert.equal(sleeping(), 0);
    s.ok(['delete', id]);
  });

  it('delete of such a container takes the rest along', async (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'setsid sleep 62 <&- >&- 2>&- & exit 0', {
      config: (spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid');
      },
    });
    const { id } = s.detach(bundle);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
    // A container in the foreground ends with its command, and so does what it left.
    const { code } = s.run(bundle);
    assert.equal(code, 0);
  });

  it('list: table, json, ids', async (t) => {
    const s = session(t, runtime);
    const missing = failureOf(s.call(['list'], { globals: JSON_LOG }));
    assert.equal(missing.exit, 1);
    mkdirSync(s.root);
    assert.equal(s.ok(['list', '--format', 'json']), 'null\n');
    assert.equal(s.ok(['list', '-q']), '');
    assert.match(s.ok(['list']), /^ID +PID +STATUS +BUNDLE +CREATED +OWNER\n$/);
    const bundle = sleeper(t);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => uniqueId(name)) as [string, string, string];
    assert.equal(s.create(bundle, { id: b }).code, 0);
    bundle.config.linux.cgroupsPath += 'a';
    bundle.save();
    assert.equal(s.detach(bundle, { id: a }).code, 0);
    bundle.config.linux.cgroupsPath += 'c';
    bundle.save();
    assert.equal(s.detach(bundle, { id: c }).code, 0);
    s.ok(['kill', c, 'KILL']);
    await s.waitFor(c, 'stopped');
    assert.equal(s.ok(['list', '-q']), `${a}\n${b}\n${c}\n`);
    const json = s.ok(['list', '-f', 'json']);
    assert.equal(json.trim().split('\n').length, 1);
    const entries = JSON.parse(json) as Record<string, unknown>[];
    assert.deepEqual(
      entries.map(({ id, status, owner, bundle: path }) => [id, status, owner, path]),
      [
        [a, 'running', 'root', bundle.path],
        [b, 'created', 'root', bundle.path],
        [c, 'stopped', 'root', bundle.path],
      ],
    );
    const [header, ...rows] = s.ok(['list']).trimEnd().split('\n');
    for (const [row, entry] of rows.map((text, i) => [text, entries[i]!] as const)) {
      assert.equal(row.indexOf(String(entry.status)), header!.indexOf('STATUS'));
      assert.equal(row.slice(header!.indexOf('BUNDLE')).split(/ +/)[0], bundle.path);
    }
    // What is no container is no reason to fail.
    writeFileSync(join(s.root, 'file'), '');
    mkdirSync(join(s.root, 'broken'));
    const withWarning: Result = s.call(['list', '-q']);
    assert.deepEqual([withWarning.code, withWarning.stdout], [0, `${a}\n${b}\n${c}\n`]);
    assert.match(withWarning.stderr, /level=warning.*broken/);
    s.ok(['delete', '--force', 'broken']);
    rmSync(join(s.root, 'file'));
  });

  it('the pid file', (t) => {
    const s = session(t, runtime);
    const bundle = sleeper(t);
    const path = join(bundle.path, 'init.pid');
    writeFileSync(path, 'something that was there before');
    const { id, code, output } = s.create(bundle, { flags: ['--pid-file', path] });
    assert.equal(code, 0, output());
    assert.equal(readFileSync(path, 'utf8'), String(s.state(id).pid));
    assert.deepEqual(readdirSync(bundle.path).sort(), ['config.json', 'init.pid']);
    s.ok(['delete', '--force', id]);
    const { exit, msg } = failureOf(
      s.call(['create', '--bundle', bundle.path, '--pid-file', '/no/such/pid', id], { globals: JSON_LOG }),
    );
    assert.equal(exit, 1);
    assert.match(msg, /--pid-file: write \/no\/such\/pid: .*no such file or directory/i);
    assert.equal(s.call(['state', id]).code, 1);
  });

  it('run: in the foreground it deletes, with --keep it does not, with --detach it does not wait', async (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'exit 3');
    const gone = s.run(bundle);
    assert.equal(gone.code, 3);
    assert.equal(s.call(['state', gone.id]).code, 1);
    const kept = s.run(bundle, { flags: ['--keep'] });
    assert.equal(kept.code, 3);
    assert.equal(s.state(kept.id).status, 'stopped');
    s.ok(['delete', kept.id]);
    const detached = s.detach(sleeper(t));
    assert.equal(detached.code, 0);
    assert.equal(s.state(detached.id).status, 'running');
  });

  it('a bundle is found where it is said to be, or in the working directory', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'true');
    const here = s.call(['run', uniqueId()], { cwd: bundle.path });
    assert.equal(here.code, 0, here.stderr);
    const relative = s.call(['run', '-b', '../bundle/.', uniqueId()], { cwd: bundle.path });
    assert.equal(relative.code, 0, relative.stderr);
    const missing = failureOf(s.call(['run', uniqueId()], { cwd: '/', globals: JSON_LOG }));
    assert.deepEqual([missing.exit, missing.code], [1, 'E_CONFIG_MISSING']);
    assert.match(missing.msg, /JSON specification file config\.json not found/);
    assert.ok(!existsSync(s.root) || readdirSync(s.root).length === 0);
  });

  it('later commands need neither the bundle nor its config', async (t) => {
    const s = session(t, runtime);
    const bundle = sleeper(t);
    const id = REACH.created(s, bundle);
    writeFileSync(join(bundle.path, 'config.json'), 'no longer JSON');
    s.ok(['start', id]);
    assert.equal(s.ok(['exec', id, 'echo', 'in']), 'in\n');
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
  });
}
