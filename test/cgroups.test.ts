/** Cgroups on any host: device rules, which need no controller, and limits whose controller is not there. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type Bundle, privateWorld, runtimes, session, type TestSpec, tempBundle } from './harness/index.ts';

const { skip } = privateWorld();

const bundle = (t: TestContext, args: string[], resources: TestSpec['linux']['resources']): Bundle =>
  tempBundle(t, {
    args,
    config: (spec) => {
      spec.linux.resources = resources;
    },
  });

/** Where the v2 hierarchy is, and whether it has a controller. */
const mountpoint = existsSync('/sys/fs/cgroup/cgroup.controllers')
  ? '/sys/fs/cgroup'
  : '/sys/fs/cgroup/unified';
const has = (controller: string): boolean => {
  const path = `${mountpoint}/cgroup.controllers`;
  return existsSync(path) && readFileSync(path, 'utf8').split(/\s/).includes(controller);
};

for (const runtime of skip ? [] : runtimes()) {
  test(`${runtime.name}: device rules of the default config`, (t) => {
    const script =
      '(: </dev/zero) && echo zero; mknod /dev/k c 1 11 && echo made; (: </dev/k) && echo kmsg; exit 0';
    const { code, stdout, stderr } = session(t, runtime).run(
      bundle(t, ['sh', '-c', script], { devices: [{ allow: false, access: 'rwm' }] }),
    );
    assert.deepEqual([code, stdout], [0, 'zero\nmade\n'], stderr);
  });

  test(`${runtime.name}: a limit without its controller is an error that names both`, (t) => {
    if (has('memory')) {
      t.skip('the v2 hierarchy has the memory controller');
      return;
    }
    const limited = bundle(t, ['true'], { memory: { limit: 1 << 26 } });
    const { code, stderr } = session(t, runtime).create(limited);
    assert.equal(code, 1);
    assert.match(stderr, /linux\.resources\.memory\.limit: controller memory is not available in cgroup/);
    assert.equal(existsSync(`${mountpoint}${limited.config.linux.cgroupsPath}`), false);
  });

  test(`${runtime.name}: with the manager disabled, limits are warned of and not set`, (t) => {
    const limited = bundle(t, ['cat', '/proc/self/cgroup'], { pids: { limit: 5 } });
    const { code, stdout, stderr } = session(t, runtime).run(limited, {
      globals: ['--cgroup-manager', 'disabled'],
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^0::\/$/m);
    assert.match(stderr, /level=warning msg="linux\.resources\.pids\.limit: not in force/);
    assert.equal(existsSync(`${mountpoint}${limited.config.linux.cgroupsPath}`), false);
  });
}

if (skip) test('cgroups on this host', { skip }, () => {});
