/** What a service manager gives the runtime and the container is to have: sd_notify(3) and sd_listen_fds(3). */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { AF, SOCK } from '../ffi/constants/socket.ts';
import { POLL } from '../ffi/descriptors.ts';
import { syscall } from '../ffi/local.ts';
import { whenReady } from '../ffi/ready.ts';
import { receiveDescriptors, socketAddress } from '../src/linux/socket.ts';
import { privateWorld, runtimes, session, tempBundle, temporaryFolder, uniqueId } from './harness/index.ts';
import { testsOf } from './support/inside.ts';

const { skip: noWorld } = privateWorld();
const skip = noWorld || (existsSync('/usr/bin/perl') ? false : 'needs perl');

/** A service manager's socket. */
function manager(t: TestContext) {
  const path = join(temporaryFolder(t), 'manager');
  const socket = syscall('socket', [AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0]);
  t.after(() => closeSync(socket));
  const address = socketAddress(path);
  syscall('bind', [socket, address, address.length]);
  const next = async (): Promise<string> => {
    const [events = 0] = await whenReady([{ fd: socket, events: POLL.IN }], 10_000);
    if ((events & POLL.IN) === 0) return 'nothing in 10 seconds';
    const { data, fds } = receiveDescriptors(socket);
    fds.forEach(closeSync);
    return new TextDecoder().decode(data);
  };
  return { path, next };
}

/** A container with the host's perl, which sends messages and then sleeps. */
function notifyingBundle(t: TestContext, messages: string[], user = 0) {
  const send = messages.map((m) => `send(S, ${JSON.stringify(m)}, 0) or die $!;`).join(' ');
  const script = `use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die $!; connect(S, sockaddr_un($ENV{NOTIFY_SOCKET})) or die "$ENV{NOTIFY_SOCKET}: $!"; ${send} sleep 60;`;
  return tempBundle(t, {
    args: ['/usr/bin/perl', '-e', script],
    config: (spec) => {
      spec.process.user = { uid: user, gid: user };
      for (const folder of ['/usr', '/lib', '/lib64'].filter(existsSync)) {
        spec.mounts.push({ destination: folder, type: 'bind', source: folder, options: ['rbind', 'ro'] });
      }
    },
  });
}

const env = (extra: Record<string, string>) => ({ ...process.env, ...extra }) as Record<string, string>;

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('run --detach returns when the container is ready, and names its process', async (t) => {
    const { path, next } = manager(t);
    const bundle = notifyingBundle(t, ['STATUS=warming up', 'MAINPID=1', 'READY=1'], 1000);
    const s = session(t, runtime);
    const id = uniqueId();
    const child = s.spawn(['run', '--detach', '--bundle', bundle.path, id], {
      env: env({ NOTIFY_SOCKET: path }),
    });
    assert.equal(await next(), 'STATUS=warming up\n');
    assert.equal(await next(), 'READY=1\n');
    assert.equal(await next(), `MAINPID=${s.state(id).pid}\n`);
    assert.equal(await next(), 'BARRIER=1');
    if (child.exitCode === null) assert.deepEqual(await once(child, 'exit'), [0, null]);
    s.ok(['delete', '--force', id]);
  });

  it('create and start: start waits for the container', async (t) => {
    const { path, next } = manager(t);
    const bundle = notifyingBundle(t, ['READY=1']);
    const s = session(t, runtime);
    const { id, code, output } = s.create(bundle, { env: env({ NOTIFY_SOCKET: path }) });
    assert.equal(code, 0, output());
    const child = s.spawn(['start', id], { env: env({ NOTIFY_SOCKET: path }) });
    assert.equal(await next(), 'READY=1\n');
    assert.match(await next(), /^MAINPID=\d+\n$/);
    assert.equal(await next(), 'BARRIER=1');
    if (child.exitCode === null) assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('a start that is refused does not come between', async (t) => {
    const { path, next } = manager(t);
    const go = join(temporaryFolder(t), 'go');
    const bundle = notifyingBundle(t, ['READY=1']);
    const [perl, option, script] = bundle.config.process.args as [string, string, string];
    bundle.config.process.args = [
      perl,
      option,
      `select(undef, undef, undef, 0.05) until -e "${go}"; ${script}`,
    ];
    const folder = dirname(go);
    bundle.config.mounts.push({ destination: folder, type: 'bind', source: folder, options: ['bind'] });
    bundle.save();
    const s = session(t, runtime);
    const { id, code, output } = s.create(bundle, { env: env({ NOTIFY_SOCKET: path }) });
    assert.equal(code, 0, output());
    const child = s.spawn(['start', id], { env: env({ NOTIFY_SOCKET: path }) });
    await s.waitFor(id, 'running');
    const second = s.call(['start', id], { env: env({ NOTIFY_SOCKET: path }) });
    assert.match(second.stderr, /cannot start an already running container/);
    writeFileSync(go, '');
    assert.equal(await next(), 'READY=1\n');
    assert.match(await next(), /^MAINPID=\d+\n$/);
    assert.equal(await next(), 'BARRIER=1');
    if (child.exitCode === null) assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('in the foreground all of the container’s messages are passed on, and the runtime ends with it', async (t) => {
    const { path, next } = manager(t);
    const bundle = notifyingBundle(t, ['READY=1', 'STOPPING=1']);
    const s = session(t, runtime);
    const id = uniqueId();
    const child = s.spawn(['run', '--bundle', bundle.path, id], { env: env({ NOTIFY_SOCKET: path }) });
    assert.equal(await next(), 'READY=1\n');
    assert.equal(await next(), 'STOPPING=1\n');
    s.ok(['kill', id, 'KILL']);
    assert.deepEqual(await once(child, 'exit'), [137, null]);
  });

  it('a container that ends without a word does not keep start waiting', (t) => {
    const { path } = manager(t);
    const bundle = tempBundle(t, { args: ['true'] });
    const s = session(t, runtime);
    assert.equal(s.detach(bundle, { env: env({ NOTIFY_SOCKET: path }) }).code, 0);
  });

  it('sockets of the caller arrive with the number of the container’s process', async (t) => {
    const bundle = tempBundle(t, { args: ['sh', '-c', 'env | grep LISTEN | sort; cat <&3'] });
    const s = session(t, runtime);
    const [file = '', ...first] = runtime.command;
    const fd = openSync(join(bundle.path, 'config.json'), 'r');
    const script = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=conf exec "$@"';
    const argv = [
      '-c',
      script,
      'sh',
      file,
      ...first,
      '--root',
      s.root,
      'run',
      '--bundle',
      bundle.path,
      uniqueId(),
    ];
    const child = spawn('sh', argv, { stdio: ['ignore', 'pipe', 'pipe', fd] });
    let text = '';
    child.stdout!.on('data', (data) => {
      text += data;
    });
    let errors = '';
    child.stderr!.on('data', (data) => {
      errors += data;
    });
    const [code] = await once(child, 'close');
    closeSync(fd);
    assert.equal(code, 0, errors);
    assert.match(text, /^LISTEN_FDNAMES=conf\nLISTEN_FDS=1\nLISTEN_PID=1\n\{/);
  });
}
