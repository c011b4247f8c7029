/**
 * checkpoint and restore of what is connected: TCP, Unix sockets, network namespaces.
 *
 *     conformance/vm/run --package criu --package iptables --package iproute2 --env TMPDIR=/scratch -- \
 *       node --import tsx --test test/vm/checkpoint-network.test.ts
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Bundle, session, temporaryFolder } from '../harness/index.ts';
import {
  COUNT,
  checkpointTests,
  copyProgram,
  counter,
  countOf,
  countsBeyond,
  goesOn,
  save,
} from '../support/checkpoint.ts';

const { runtime, it } = checkpointTests();

/** Waits until it is so; the test fails otherwise. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (isSo()) return;
    await delay(100);
  }
  assert.fail(`not so: ${what}`);
}

/** A network of its own with both ends of a connection: what one sends, the other notes. */
function talker(t: TestContext): { bundle: Bundle; received: () => number; ended: () => boolean } {
  const script = `ip link set lo up
    (sleep 100000 | nc -l -p 7777 >/tmp/received) &
    until grep -q ':1E61 .* 0A' /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done
    (while :; do cat /tmp/count; sleep 0.1; done | nc 127.0.0.1 7777; echo >/tmp/ended) &
    ${COUNT}`;
  const bundle = counter(t, {
    script,
    network: true,
    config: (spec) => {
      for (const set of ['bounding', 'effective', 'permitted'] as const)
        spec.process.capabilities![set] = [...spec.process.capabilities![set]!, 'CAP_NET_ADMIN'];
    },
  });
  const file = (name: string): string => join(bundle.rootfs, 'tmp', name);
  const received = (): number => {
    if (!existsSync(file('received'))) return 0;
    return Number(readFileSync(file('received'), 'utf8').split('\n').at(-2) ?? 0);
  };
  return { bundle, received, ended: () => existsSync(file('ended')) };
}

/** A line of /proc/net/tcp: a connection of the port. */
const ESTABLISHED = /:1E61 \S+ 01 /;

/** A program in the container with a socket, made by perl without any of its modules, as descriptor 3, that counts. */
function withSocket(perl: string, count = COUNT): string {
  return `exec perl -e '$^F = 9; ${perl}; exec "sh", "-c", $ARGV[0]' '${count}'`;
}

for (const lock of ['iptables', 'nftables']) {
  it(`--tcp-established, held by ${lock}: data flows over the connection again`, async (t) => {
    const { bundle, received, ended } = talker(t);
    const s = session(t, runtime);
    const { id } = s.detach(bundle);
    await until('it receives', () => received() > 2);
    const images = join(temporaryFolder(t), 'images');
    const { code, stderr } = s.call(['checkpoint', '--image-path', images, id]);
    assert.equal(code, 1);
    assert.match(stderr, /criu failed to dump: .*--tcp-established/);
    assert.equal(s.state(id).status, 'running');
    const before = received();
    await until('it still receives', () => received() > before);
    const flags = ['--tcp-established', '--network-lock', lock];
    s.ok(['checkpoint', '--image-path', images, ...flags, id]);
    const count = countOf(bundle);
    await goesOn({ s, id, images, count }, bundle, flags);
    // What was sent while the connection was held is sent again, after a while.
    await until('it receives what was counted since', () => received() > count);
    assert.equal(ended(), false);
  });
}

it('--tcp-close: its connections are closed, and it goes on', async (t) => {
  const { bundle, received } = talker(t);
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await until('it receives', () => received() > 2);
  const connections = (): string => s.ok(['exec', id, 'cat', '/proc/net/tcp', '/proc/net/tcp6']);
  assert.match(connections(), ESTABLISHED);
  const images = join(temporaryFolder(t), 'images');
  s.ok(['checkpoint', '--image-path', images, '--tcp-established', id]);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle, ['--tcp-close']);
  assert.doesNotMatch(connections(), ESTABLISHED);
});

it('--tcp-skip-in-flight: connections that nobody has accepted are left out', async (t) => {
  const port = 27_030;
  const listen = `socket(S, 2, 1, 0); setsockopt(S, 1, 2, 1);
    bind(S, pack("SnNx8", 2, ${port}, 0x7f000001)) or die "$!"; listen(S, 5)`;
  const bundle = counter(t, { script: withSocket(listen) });
  copyProgram('perl', bundle.rootfs);
  const s = session(t, runtime);
  const { id, output } = s.detach(bundle);
  await countsBeyond(bundle, 2).catch((error) => assert.fail(`${error}: ${output()}`));
  const dial = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket.on('error', () => {})));
      socket.on('error', reject);
      t.after(() => socket.destroy());
    });
  await dial();
  const images = join(temporaryFolder(t), 'images');
  const { code, stderr } = s.call(['checkpoint', '--image-path', images, id]);
  assert.equal(code, 1);
  assert.match(stderr, /criu failed to dump: .*\(.*--tcp-skip-in-flight\)/);
  s.ok(['checkpoint', '--image-path', images, '--tcp-skip-in-flight', id]);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle);
  await dial();
});

it('--ext-unix-sk: a Unix socket that leads out of the container', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'log');
  const listener = spawn('perl', [
    '-e',
    '$| = 1; socket(S, 1, 2, 0); bind(S, pack("Sa108", 1, $ARGV[0])) or die "$!"; while (recv(S, $m, 99, 0), 1) { print $m }',
    path,
  ]);
  t.after(() => listener.kill('SIGKILL'));
  let heard = '';
  listener.stdout.on('data', (data) => {
    heard += data;
  });
  listener.stderr.on('data', (data) => {
    heard += data;
  });
  await until('somebody listens', () => existsSync(path));
  // CRIU goes by the name that the other end was bound to.
  const open = `socket(S, 1, 2, 0); connect(S, pack("Sa108", 1, "${path}")) or die "$!"`;
  const bundle = counter(t, {
    script: withSocket(open, COUNT.replace('echo $i >', 'echo $i >&3; echo $i >')),
    config: (spec) => {
      spec.mounts.push({ destination: folder, type: 'bind', source: folder, options: ['bind'] });
    },
  });
  copyProgram('perl', bundle.rootfs);
  const s = session(t, runtime);
  const { id, output } = s.detach(bundle);
  await countsBeyond(bundle, 2).catch((error) => assert.fail(`${error}: ${output()}`));
  const images = join(temporaryFolder(t), 'images');
  const { code, stderr } = s.call(['checkpoint', '--image-path', images, id]);
  assert.equal(code, 1);
  assert.match(stderr, /criu failed to dump: .*\(.*--ext-unix-sk\)/);
  s.ok(['checkpoint', '--image-path', images, '--ext-unix-sk', id]);
  const count = countOf(bundle);
  await goesOn({ s, id, images, count }, bundle, ['--ext-unix-sk']);
  await until('it is heard again', () => Number(heard.split('\n').at(-2)) > count);
});

it('linux.netDevices: into an empty network they are moved again', async (t) => {
  const make = (): boolean =>
    spawnSync('ip', ['link', 'add', 'rt-moved', 'type', 'veth', 'peer', 'name', 'rt-peer']).status === 0;
  if (!make()) {
    t.skip('the kernel has no veth devices');
    return;
  }
  t.after(() => spawnSync('ip', ['link', 'delete', 'rt-peer']));
  const bundle = counter(t, {
    network: true,
    config: (spec) => {
      spec.linux.netDevices = { 'rt-moved': { name: 'eth7' } };
    },
  });
  const saved = await save(t, runtime, bundle, ['--empty-ns', 'network']);
  const { s, id, images } = saved;
  const refused = s.restore(bundle, { id, flags: ['--image-path', images] });
  assert.equal(refused.code, 1);
  assert.match(
    refused.output(),
    /linux\.netDevices: CRIU .*\(give --empty-ns network to checkpoint and to restore/,
  );
  // The pair went with the namespace, which the kernel removes when it likes.
  await until('the pair is made anew', make);
  await goesOn(saved, bundle, ['--empty-ns', 'network']);
  assert.match(s.ok(['exec', id, 'ip', '-o', 'link', 'show', 'eth7']), /state UP|,UP/);
});

it('--empty-ns network, and a network namespace that it shares', async (t) => {
  // First, so that it is nothing that a runtime has left.
  const holder = spawn('unshare', ['--net', 'sleep', '1000'], { stdio: 'ignore' });
  t.after(() => holder.kill('SIGKILL'));
  const path = `/proc/${holder.pid}/ns/net`;
  for (let i = 0; i < 100 && readlinkSync(path) === readlinkSync('/proc/self/ns/net'); i++)
    spawnSync('sleep', ['0.05']);
  const bundle = counter(t, { network: true });
  const saved = await save(t, runtime, bundle, ['--empty-ns', 'network']);
  assert.ok(!readdirSync(saved.images).some((name) => name.startsWith('netdev')));
  await goesOn(saved, bundle, ['--empty-ns', 'network']);
  saved.s.ok(['delete', '--force', saved.id]);

  const shared = counter(t, {
    network: true,
    config: (spec) => {
      spec.linux.namespaces.find(({ type }) => type === 'network')!.path = path;
    },
  });
  const second = await save(t, runtime, shared);
  await goesOn(second, shared);
  assert.equal(readlinkSync(`/proc/${second.s.state(second.id).pid}/ns/net`), readlinkSync(path));
});
