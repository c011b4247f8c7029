/** `linux.netDevices`: devices of the host move in, with what they are. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import type { LinuxNetDevice } from '../src/spec/types.ts';
import {
  atEnd,
  missing,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { type LookOptions, look, lookAt, scriptBundle, testsOf } from './support/inside.ts';

const world = privateWorld({ network: true });

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
const links = (): string[] => [...ip('-o', 'link').matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name!);

/** Why there are no devices to move. */
function vethMissing(): string | false {
  const made = spawnSync('ip', ['link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1']);
  if (made.status !== 0) return 'the kernel has no veth devices';
  ip('link', 'delete', 'probe0');
  return false;
}

const skip = world.skip || missing('ip') || vethMissing();

/** A pair of devices: the first is to be moved, the second stays and keeps the test's end. */
function pair(t: TestContext, name: string): void {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}-peer`);
  atEnd(t, 'files', () => void spawnSync('ip', ['link', 'delete', `${name}-peer`]));
  ip('link', 'set', `${name}-peer`, 'up');
}

const moving =
  (devices: Record<string, LinuxNetDevice>, more: (spec: TestSpec) => void = () => {}) =>
  (spec: TestSpec): void => {
    spec.linux.netDevices = devices;
    more(spec);
  };

const fails = (t: TestContext, runtime: Runtime, config: LookOptions['config'], script = 'true'): string => {
  const result = lookAt(t, runtime, script, { globals: JSON_LOG, config });
  assert.equal(result.code, 1, result.stderr);
  return failureOf(result).msg;
};

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a device moves in under another name, with addresses, MTU and hardware address, and up', (t) => {
    pair(t, 'host0');
    ip('link', 'set', 'host0', 'address', '02:00:00:00:00:11', 'mtu', '1400', 'up');
    ip('address', 'add', '10.1.2.3/24', 'broadcast', '+', 'dev', 'host0');
    ip('address', 'add', '10.9.9.1', 'peer', '10.9.9.2/32', 'dev', 'host0');
    ip('address', 'add', '169.254.1.1/16', 'scope', 'link', 'dev', 'host0');
    ip('-6', 'address', 'add', 'fd00::5/64', 'nodad', 'dev', 'host0');
    const seen = look(
      t,
      runtime,
      { address: 'ip address show eth5', links: 'ip -o link' },
      {
        config: moving({ host0: { name: 'eth5' } }),
      },
    );
    const text = seen.address!;
    for (const part of [
      'mtu 1400',
      'link/ether 02:00:00:00:00:11',
      'inet 10.1.2.3/24 brd 10.1.2.255 scope global eth5',
      'inet 10.9.9.1 peer 10.9.9.2/32',
      'inet6 fd00::5/64 scope global',
    ]) {
      assert.ok(text.includes(part), `${part}: ${text}`);
    }
    assert.match(text, /<[A-Z,_]*\bUP\b/);
    assert.ok(!text.includes('169.254.1.1'), 'an address of link scope stays behind');
    assert.ok(!seen.links!.includes('host0'));
  });

  it('without a name it keeps the host’s, and a route through it works at once', (t) => {
    pair(t, 'host0');
    ip('address', 'add', '10.1.2.3/24', 'dev', 'host0');
    const seen = look(
      t,
      runtime,
      { route: 'ip route', names: 'cat /proc/net/dev' },
      {
        config: moving({ host0: {} }),
      },
    );
    assert.match(seen.route!, /^10\.1\.2\.0\/24 dev host0/m);
    assert.ok(seen.names!.includes('host0:'));
  });

  it('several, with names for the kernel to complete', (t) => {
    pair(t, 'host0');
    pair(t, 'host1');
    const seen = look(
      t,
      runtime,
      { links: 'ip -o link' },
      {
        config: moving({ host0: { name: 'eth%d' }, host1: { name: 'eth%d' } }),
      },
    );
    const names = [...seen.links!.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name).sort();
    assert.deepEqual(names, ['eth0', 'eth1', 'lo']);
  });

  it('sysctls of the device find it', (t) => {
    pair(t, 'host0');
    const seen = look(
      t,
      runtime,
      { mtu: 'cat /proc/sys/net/ipv4/conf/eth0/forwarding' },
      {
        config: moving({ host0: { name: 'eth0' } }, (spec) => {
          spec.linux.sysctl = { 'net.ipv4.conf.eth0.forwarding': '1' };
        }),
      },
    );
    assert.equal(seen.mtu, '1');
  });

  it('into a network namespace that is joined', (t) => {
    pair(t, 'host0');
    const s = session(t, runtime);
    const { id } = s.detach(scriptBundle(t, 'exec sleep 1000'));
    const path = `/proc/${s.state(id).pid}/ns/net`;
    const seen = look(
      t,
      runtime,
      { links: 'ip -o link' },
      {
        config: moving({ host0: { name: 'eth0' } }, (spec) => {
          spec.linux.namespaces.find(({ type }) => type === 'network')!.path = path;
          spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/sys');
          spec.linux.maskedPaths = [];
        }),
      },
    );
    assert.match(seen.links!, /eth0/);
    assert.match(s.ok(['exec', id, 'ip', '-o', 'link']), /eth0/);
  });

  it('a user namespace is no obstacle', (t) => {
    pair(t, 'host0');
    const seen = look(
      t,
      runtime,
      { links: 'ip -o link show eth0' },
      {
        config: moving({ host0: { name: 'eth0' } }, (spec) => {
          spec.linux.namespaces.push({ type: 'user' });
          spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
          spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
        }),
      },
    );
    assert.match(seen.links!, /\bUP\b/);
  });

  it('hooks of the create operation find it moved', (t) => {
    pair(t, 'host0');
    lookAt(t, runtime, 'true', {
      config: moving({ host0: { name: 'eth0' } }, (spec) => {
        const path = '/bin/sh';
        spec.hooks = {
          createRuntime: [
            { path, args: ['sh', '-c', '! ip link show host0'], env: ['PATH=/bin:/sbin:/usr/sbin'] },
          ],
          createContainer: [
            { path, args: ['sh', '-c', 'ip link show eth0'], env: ['PATH=/bin:/sbin:/usr/sbin'] },
          ],
        };
      }),
    });
  });

  it('a failing create gives it back as it was', (t) => {
    pair(t, 'host0');
    ip('link', 'set', 'host0', 'mtu', '1400', 'up');
    ip('address', 'add', '10.1.2.3/24', 'dev', 'host0');
    const message = fails(
      t,
      runtime,
      moving({ host0: { name: 'eth0' } }, (spec) => {
        spec.process.args = ['nonesuch'];
      }),
    );
    assert.match(message, /executable file not found/);
    const text = ip('address', 'show', 'host0');
    assert.match(text, /<[A-Z,_-]*\bUP\b.*mtu 1400/);
    assert.match(text, /inet 10\.1\.2\.3\/24 .*scope global host0/);
  });

  it('a device that isn’t there is an error, and the others stay', (t) => {
    pair(t, 'host0');
    const message = fails(t, runtime, moving({ host0: {}, nonesuch: {} }));
    assert.match(message, /^linux\.netDevices\.nonesuch: no such network device on the host \(ENODEV\)/);
    assert.ok(links().includes('host0'));
  });

  it('a name that is taken in the container is an error', (t) => {
    pair(t, 'host0');
    const message = fails(t, runtime, moving({ host0: { name: 'lo' } }));
    assert.match(message, /^linux\.netDevices\.host0: the container has a device "lo" already \(EEXIST\)/);
    assert.ok(links().includes('host0'));
  });

  it('a device that can’t move is an error with the kernel’s reason', (t) => {
    pair(t, 'host0');
    const message = fails(t, runtime, moving({ host0: {}, lo: { name: 'eth9' } }));
    assert.match(message, /^linux\.netDevices\.lo: cannot move lo into the container as "eth9": .*EINVAL/);
    assert.ok(links().includes('host0'), 'and the one that had moved is back');
  });

  it('without a network namespace it is an error', (t) => {
    const message = fails(
      t,
      runtime,
      moving({ host0: {} }, (spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network');
      }),
    );
    assert.match(message, /unable to move network devices without a private NET namespace/);
  });
}
