/** SCMP_ACT_NOTIFY: calls that an agent decides. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { syscallNumber } from '../ffi/syscalls.ts';
import { numberOf } from '../src/seccomp/testing/model.ts';
import {
  atEnd,
  hasCommand,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { scriptBundle, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

const NATIVE = process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64';
const EOPNOTSUPP = 95;

/** What a runtime sends: ContainerProcessState of config-linux.md. */
interface Message {
  ociVersion: string;
  fds: string[];
  pid: number;
  metadata?: string;
  state: { ociVersion: string; id: string; status: string; pid: number; bundle: string };
}

interface AgentEvent {
  ready?: true;
  message?: Message;
  /** How many descriptors came with the message. */
  descriptors?: number;
  nr?: number;
  pid?: number;
}

interface Agent {
  path: string;
  /** Waits until it was asked about a call. */
  asked: (nr: number) => Promise<void>;
  /** The messages; waits until there are so many. */
  messages: (count: number) => Promise<Message[]>;
}

/** Starts an agent that answers calls to `mkdir` with an errno and lets all others go on. */
async function startAgent(t: TestContext): Promise<Agent> {
  const path = join(temporaryFolder(t), 'agent.sock');
  const answers: Record<number, number> = {};
  for (const name of MKDIR) {
    const number = numberOf(NATIVE, name);
    if (number !== undefined) answers[number] = EOPNOTSUPP;
  }
  const program = join(import.meta.dirname, 'support/seccomp-agent.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, path, JSON.stringify(answers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  atEnd(t, 'files', () => void child.kill('SIGKILL'));
  const events: AgentEvent[] = [];
  createInterface(child.stdout).on('line', (line) => events.push(JSON.parse(line) as AgentEvent));
  const until = async (condition: () => boolean): Promise<void> => {
    for (let i = 0; i < 400 && !condition(); i++) await delay(25);
    assert.ok(condition(), `the agent has seen ${JSON.stringify(events)}`);
  };
  await until(() => events.length > 0);
  const messages = async (count: number): Promise<Message[]> => {
    await until(() => events.filter((event) => event.message !== undefined).length >= count);
    return events.flatMap((event) => {
      if (event.message === undefined) return [];
      assert.equal(event.descriptors, 1);
      return [event.message];
    });
  };
  const asked = (nr: number): Promise<void> => until(() => events.some((event) => event.nr === nr));
  return { path, asked, messages };
}

const MKDIR = ['mkdir', 'mkdirat'];

/** A filter that leaves calls to the agent. */
function notifying(agent: Pick<Agent, 'path'>, names: string[] = MKDIR): (spec: TestSpec) => void {
  return (spec) => {
    spec.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      listenerPath: agent.path,
      listenerMetadata: 'of this test',
      syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }],
    };
  };
}

/** Runtimes that can do without CAP_SYS_PTRACE: how an ordinary user's differs from root's. */
function withoutPtrace(runtime: Runtime): Runtime {
  return { ...runtime, command: ['setpriv', '--bounding-set', '-sys_ptrace', ...runtime.command] };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  for (const noNewPrivileges of [true, false]) {
    it(`an agent gets the calls it was promised, noNewPrivileges ${noNewPrivileges}`, async (t) => {
      const agent = await startAgent(t);
      const bundle = scriptBundle(t, 'mkdir /tmp/x; cat /proc/self/status', {
        config: (spec) => {
          spec.process.noNewPrivileges = noNewPrivileges;
          notifying(agent)(spec);
        },
      });
      const { stdout, stderr, id } = session(t, runtime).run(bundle);
      assert.match(stderr, /can't create directory.*Operation not supported/);
      assert.match(stdout, /^Seccomp:\t2$/m);
      const [message] = await agent.messages(1);
      const { pid } = message!;
      assert.ok(pid > 1);
      assert.deepEqual(message, {
        ociVersion: message!.ociVersion,
        fds: ['seccompFd'],
        pid,
        metadata: 'of this test',
        state: { ...message!.state, id, status: 'creating', pid, bundle: bundle.path },
      });
    });

    it(`an agent decides about the calls of the last steps, noNewPrivileges ${noNewPrivileges}`, async (t) => {
      const agent = await startAgent(t);
      const important = ['execve', 'openat', 'open', 'read', 'close'];
      const bundle = scriptBundle(t, 'echo ran', {
        config: (spec) => {
          spec.process.noNewPrivileges = noNewPrivileges;
          notifying(agent, important)(spec);
        },
      });
      const { code, stdout, stderr } = session(t, runtime).run(bundle);
      assert.deepEqual([code, stdout, stderr], [0, 'ran\n', '']);
      await agent.asked(syscallNumber('execve', process.arch === 'arm64' ? 'arm64' : 'x64'));
    });
  }

  it('an agent by an annotation of crun', async (t) => {
    if (!runtime.name.startsWith('runts')) return;
    const agent = await startAgent(t);
    const bundle = scriptBundle(t, 'mkdir /tmp/x; true', {
      config: (spec) => {
        notifying({ path: '/nobody/listens/here' })(spec);
        spec.annotations = { 'run.oci.seccomp.receiver': agent.path };
      },
    });
    for (const given of [true, false]) {
      if (!given) {
        delete bundle.config.linux.seccomp?.listenerPath;
        bundle.save();
      }
      assert.match(session(t, runtime).run(bundle).stderr, /Operation not supported/);
    }
    assert.equal((await agent.messages(2)).length, 2);
  });

  it('every process of a container has its own connection', async (t) => {
    const agent = await startAgent(t);
    const bundle = scriptBundle(t, 'sleep 100', { config: notifying(agent) });
    const it = session(t, runtime);
    const { id } = it.create(bundle);
    const [created] = await agent.messages(1);
    it.ok(['start', id]);
    const executed = it.call(['exec', id, 'mkdir', '/tmp/x']);
    assert.match(executed.stderr, /Operation not supported/);
    const [, second] = await agent.messages(2);
    assert.equal(second?.state.status, 'running');
    assert.equal(second?.state.pid, created?.pid);
    assert.notEqual(second?.pid, created?.pid);
  });

  if (runtime.name.startsWith('runts')) ownTests(runtime, it);
}

/** What other runtimes do differently. */
function ownTests(runtime: Runtime, it: ReturnType<typeof testsOf>): void {
  it('a hook of the container’s image has its own connection too', async (t) => {
    const agent = await startAgent(t);
    const bundle = scriptBundle(t, 'true', {
      config: (spec) => {
        notifying(agent)(spec);
        spec.hooks = { startContainer: [{ path: '/bin/sh', args: ['sh', '-c', '! mkdir /tmp/x'] }] };
      },
    });
    const { code, stderr } = session(t, runtime).run(bundle);
    assert.deepEqual([code, stderr], [0, '']);
    const messages = await agent.messages(2);
    assert.deepEqual(
      messages.map(({ state }) => state.status),
      ['creating', 'created'],
    );
    assert.notEqual(messages[0]?.pid, messages[1]?.pid);
  });

  it('without CAP_SYS_PTRACE the process sends its listener itself', async (t) => {
    if (!hasCommand('setpriv')) return t.skip('needs setpriv');
    const agent = await startAgent(t);
    const it = session(t, withoutPtrace(runtime));
    const bundle = scriptBundle(t, 'mkdir /tmp/x; true', { config: notifying(agent) });
    const { code, stderr } = it.run(bundle);
    assert.equal(code, 0);
    assert.match(stderr, /Operation not supported/);
    assert.equal((await agent.messages(1)).length, 1);

    notifying(agent, ['sendmsg'])(bundle.config);
    bundle.save();
    const failure = failureOf(it.run(bundle, { globals: JSON_LOG }));
    assert.equal(failure.exit, 1);
    assert.match(failure.msg, /without root, SCMP_ACT_NOTIFY can’t be used for read and sendmsg/);
  });

  it('an agent that can’t be reached is an error with the field', (t) => {
    const path = join(temporaryFolder(t), 'none.sock');
    const bundle = scriptBundle(t, 'true', {
      config: notifying({ path }),
    });
    const it = session(t, runtime);
    const failure = failureOf(it.run(bundle, { globals: JSON_LOG }));
    assert.deepEqual([failure.exit, failure.code], [1, 'E_SYSCALL']);
    assert.match(
      failure.msg,
      /^linux\.seccomp\.listenerPath: cannot connect to the seccomp agent at .*none\.sock: /,
    );
    assert.match(failure.msg, /ENOENT.*start the agent that listens there first/);
    assert.deepEqual(existsSync(it.root) ? readdirSync(it.root) : [], ['.cache']);
  });
}
