/** Labels of security modules that this host lacks, and Intel RDT without resctrl. With AppArmor: test/vm/apparmor.test.ts. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { securityModules } from '../src/linux/security.ts';
import { privateWorld, runtimes, session, type TestSpec, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, scriptBundle, testsOf } from './support/inside.ts';

const world = privateWorld();
const { apparmor, selinux } = securityModules();
const mounted = / - resctrl /.test(readFileSync('/proc/self/mountinfo', 'utf8'));
const SELINUX = /selinux label is specified in config, but selinux is disabled or not supported/;

for (const runtime of runtimes()) {
  const errors = (
    skip: string | false,
    name: string,
    config: (spec: TestSpec) => void,
    field: string,
    text: RegExp,
  ) =>
    testsOf(runtime, skip)(`${name} is an error`, (t) => {
      const result = lookAt(t, runtime, 'true', { globals: JSON_LOG, config });
      const { exit, code, msg } = failureOf(result);
      assert.deepEqual([exit, code], [1, 'E_UNSUPPORTED']);
      assert.ok(msg.startsWith(`${field}: `), msg);
      assert.match(msg, text);
    });

  errors(
    world.skip || (apparmor && 'AppArmor is on'),
    'an AppArmor profile without AppArmor',
    (spec) => {
      spec.process.apparmorProfile = 'acme';
    },
    'process.apparmorProfile',
    /apparmor: config provided but apparmor not supported/,
  );

  errors(
    world.skip || (selinux && 'SELinux is on'),
    'an SELinux label without SELinux',
    (spec) => {
      spec.process.selinuxLabel = 'u:r:t:s0';
    },
    'process.selinuxLabel',
    SELINUX,
  );

  testsOf(runtime, world.skip || (selinux && 'SELinux is on'))(
    'a label for mounts without SELinux is left out, with a warning',
    (t) => {
      const { code, stdout, stderr } = lookAt(t, runtime, 'grep -c context= /proc/mounts', {
        config: (spec) => {
          spec.linux.mountLabel = 'u:r:t:s0';
        },
      });
      assert.deepEqual([code, stdout], [1, '0\n']);
      assert.match(stderr, /level=warning msg="linux\.mountLabel: this host has no SELinux: ignored"/);
    },
  );

  errors(
    world.skip || (mounted && 'resctrl is mounted'),
    'intelRdt without resctrl',
    (spec) => {
      spec.linux.intelRdt = { enableMonitoring: true };
    },
    'linux.intelRdt',
    /no resctrl file system is mounted/,
  );

  testsOf(runtime, world.skip || (apparmor && 'AppArmor is on'))('unconfined needs no AppArmor', (t) => {
    const seen = look(
      t,
      runtime,
      { here: 'echo yes' },
      {
        config: (spec) => {
          spec.process.apparmorProfile = 'unconfined';
        },
      },
    );
    assert.equal(seen.here, 'yes');
  });

  testsOf(runtime, world.skip || (apparmor && 'AppArmor is on'))(
    'exec refuses a label as create does',
    (t) => {
      const s = session(t, runtime);
      const { id } = s.detach(scriptBundle(t, 'exec sleep 1000'));
      const result = s.call(['exec', '--apparmor', 'acme', id, 'true'], { globals: JSON_LOG });
      assert.equal(result.code, 255);
      assert.match(failureOf(result).msg, /apparmor: config provided but apparmor not supported/);
      const file = join(temporaryFolder(t), 'process.json');
      writeFileSync(file, JSON.stringify({ cwd: '/', args: ['true'], selinuxLabel: 'u:r:t:s0' }));
      if (!existsSync('/sys/fs/selinux/enforce')) {
        const other = s.call(['exec', '--process', file, id], { globals: JSON_LOG });
        assert.match(failureOf(other).msg, SELINUX);
      }
    },
  );
}
