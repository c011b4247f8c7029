/** config-linux.md, "Network Devices". */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { missing, privateWorld, runtimes, session, type TestSpec } from '../../test/harness/index.ts';
import { scriptBundle, testsOf } from '../../test/support/inside.ts';

const { skip } = privateWorld({ network: true });

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  assert.equal(status, 0, `ip ${args.join(' ')}: ${stderr}`);
}

/** A pair of connected devices in the host's namespace; gone with the test, wherever its ends are by then. */
function pair(t: TestContext, name: string, peer: string): void {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', peer);
  t.after(() => void spawnSync('ip', ['link', 'delete', peer]));
}

function onHost(name: string): boolean {
  return existsSync(`/sys/class/net/${name}`) || spawnSync('ip', ['link', 'show', name]).status === 0;
}

const withDevices =
  (netDevices: NonNullable<TestSpec['linux']['netDevices']>) =>
  (spec: TestSpec): void => {
    spec.linux.netDevices = netDevices;
  };

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip || missing('ip'));

  it('a network device is moved, renamed and up, with its attributes and permanent global addresses', (t) => {
    pair(t, 'wan0', 'wan1');
    ip('link', 'set', 'wan0', 'mtu', '1400', 'address', '02:00:00:00:00:07');
    ip('link', 'set', 'wan0', 'up');
    ip('link', 'set', 'wan1', 'up');
    ip('addr', 'add', '192.0.2.7/24', 'dev', 'wan0');
    ip('addr', 'add', '192.0.2.8/24', 'valid_lft', '1000', 'preferred_lft', '1000', 'dev', 'wan0');
    ip('addr', 'add', '169.254.1.1/16', 'scope', 'link', 'dev', 'wan0');
    ip('addr', 'add', '2001:db8::7/64', 'nodad', 'dev', 'wan0');
    const bundle = scriptBundle(t, 'ip addr show dev inner0; ip link show wan0', {
      config: withDevices({ wan0: { name: 'inner0' } }),
    });
    const { stdout, stderr } = session(t, runtime).run(bundle);
    assert.match(stdout, /inner0.*<.*\bUP\b.*mtu 1400/);
    assert.match(stdout, /02:00:00:00:00:07/);
    assert.match(stdout, /192\.0\.2\.7\/24/);
    assert.match(stdout, /2001:db8::7\/64/);
    assert.doesNotMatch(stdout, /192\.0\.2\.8|169\.254/);
    assert.match(stderr, /wan0/);
  });

  it('a network device that is missing, or can’t be moved, is an error', (t) => {
    const s = session(t, runtime);
    for (const name of ['none0', 'lo']) {
      const bundle = scriptBundle(t, 'true', { config: withDevices({ [name]: { name: 'inner0' } }) });
      const { code, stderr } = s.run(bundle);
      assert.notEqual(code, 0);
      assert.ok(stderr.includes(name), stderr);
    }
  });

  it('the name of a device that the container has is an error, and the device stays', (t) => {
    pair(t, 'dup0', 'dup1');
    const bundle = scriptBundle(t, 'true', { config: withDevices({ dup0: { name: 'lo' } }) });
    const { code, stderr } = session(t, runtime).run(bundle);
    assert.notEqual(code, 0);
    assert.match(stderr, /lo/);
    assert.ok(onHost('dup0'));
  });

  it('the kernel completes a name with %d', (t) => {
    pair(t, 'num0', 'num1');
    pair(t, 'num2', 'num3');
    const bundle = scriptBundle(t, 'ip -o link', {
      config: withDevices({ num0: { name: 'in%d' }, num2: { name: 'in%d' } }),
    });
    const { stdout, code, stderr } = session(t, runtime).run(bundle);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\bin0\b/);
    assert.match(stdout, /\bin1\b/);
  });

  it('a device is left alone until the namespace ends, and not moved back', async (t) => {
    pair(t, 'own0', 'own1');
    const s = session(t, runtime);
    const script = 'ip link set own0 mtu 1300; while ! [ -e /end ]; do sleep 0.05; done';
    const bundle = scriptBundle(t, script, { own: () => {}, config: withDevices({ own0: {} }) });
    bundle.config.process.capabilities!.effective!.push('CAP_NET_ADMIN');
    bundle.config.process.capabilities!.permitted!.push('CAP_NET_ADMIN');
    bundle.config.process.capabilities!.bounding!.push('CAP_NET_ADMIN');
    bundle.save();
    const { id, code, output } = s.detach(bundle);
    assert.equal(code, 0, output());
    const { pid } = s.state(id);
    const inside = (): string =>
      spawnSync('nsenter', ['--target', String(pid), '--net', 'ip', '-o', 'link', 'show', 'own0'], {
        encoding: 'utf8',
      }).stdout;
    for (let i = 0; i < 100 && !inside().includes('mtu 1300'); i++)
      await new Promise((r) => setTimeout(r, 20));
    // What the container changed of it is not changed back by other operations.
    s.call(['state', id]);
    assert.match(inside(), /mtu 1300/);
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
    // A virtual device ends with its namespace; moved back, it would be here.
    assert.ok(!onHost('own0'));
  });
}
