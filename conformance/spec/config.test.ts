/** config.md of the specification, as far as no other test proves it; see requirements/config.ts. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { privateWorld, runtimes, session, tempBundle, temporaryFolder } from '../../test/harness/index.ts';
import { lookAt, testsOf } from '../../test/support/inside.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a capability that nobody knows is a warning', (t) => {
    const { code, stdout, stderr } = lookAt(t, runtime, 'grep CapBnd /proc/self/status', {
      config: (spec) => {
        for (const set of ['bounding', 'effective', 'permitted'] as const) {
          spec.process.capabilities![set] = ['CAP_CHOWN', 'CAP_NOBODY_KNOWS'];
        }
      },
    });
    assert.deepEqual([code, stdout], [0, 'CapBnd:\t0000000000000001\n']);
    assert.match(stderr, /warning.*CAP_NOBODY_KNOWS/s);
  });

  it('unknown annotations and unknown properties are ignored', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { rootfs: 'shared' });
    bundle.config.annotations = { 'org.example.unknown': 'value', 'org.opencontainers.unknown': '' };
    const strange = { ...bundle.config, strange: { deep: [1, null] } } as Record<string, unknown>;
    strange.linux = { ...bundle.config.linux, strange: 1 };
    strange.process = {
      ...bundle.config.process,
      strange: 'x',
      user: { ...bundle.config.process.user, strange: {} },
    };
    writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(strange));
    assert.equal(s.run(bundle).code, 0);
  });

  it('an invalid value is an error of create', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { rootfs: 'shared' });
    const text = JSON.stringify(bundle.config);
    const invalid: readonly ((config: typeof bundle.config) => void)[] = [
      (config) => Object.assign(config.process, { cwd: 7 }),
      (config) => Object.assign(config.process, { rlimits: [{ type: 'RLIMIT_NONE', soft: 1, hard: 1 }] }),
      (config) => Object.assign(config.linux, { rootfsPropagation: 'sideways' }),
      (config) => Object.assign(config.linux.namespaces[0]!, { type: 'nothing' }),
      (config) => Object.assign(config, { annotations: { key: 1 } }),
    ];
    for (const [i, change] of invalid.entries()) {
      const config = JSON.parse(text) as typeof bundle.config;
      change(config);
      writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(config));
      assert.notEqual(s.create(bundle).code, 0, String(i));
    }
  });

  it('poststop hooks find the container gone', (t) => {
    const s = session(t, runtime);
    const log = join(temporaryFolder(t), 'log');
    const bundle = tempBundle(t, { rootfs: 'shared' });
    const { id, code } = (() => {
      const script = `cat > ${log}.state; ls /proc/$(cat ${log}.pid) >/dev/null 2>&1 && echo alive > ${log} || echo gone > ${log}`;
      bundle.config.hooks = {
        poststop: [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin:/usr/bin'] }],
      };
      bundle.config.process.args = ['sleep', '60'];
      bundle.save();
      return s.create(bundle);
    })();
    assert.equal(code, 0);
    writeFileSync(`${log}.pid`, String(s.state(id).pid));
    s.ok(['start', id]);
    s.ok(['delete', '--force', id]);
    assert.equal(readFileSync(log, 'utf8'), 'gone\n');
    assert.equal(JSON.parse(readFileSync(`${log}.state`, 'utf8')).id, id);
  });
}
