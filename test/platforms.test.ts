/** Sections of a config that are not for a Linux host are accepted and have no effect. */

import assert from 'node:assert/strict';
import { fullSpec } from '../src/spec/sample-full.ts';
import { privateWorld, runtimes } from './harness/index.ts';
import { look, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  for (const platform of ['vm', 'solaris', 'windows', 'zos', 'freebsd'] as const) {
    it(`${platform} is ignored`, (t) => {
      const section = fullSpec()[platform];
      assert.notEqual(section, undefined);
      const seen = look(
        t,
        runtime,
        { kernel: 'uname -s' },
        {
          config: (spec) => Object.assign(spec, { [platform]: section }),
        },
      );
      assert.equal(seen.kernel, 'Linux');
    });
  }

  it('fields of other platforms within process are ignored', (t) => {
    const seen = look(
      t,
      runtime,
      { id: 'id -u' },
      {
        config: (spec) => {
          spec.process.user = { uid: 0, gid: 0, username: 'ContainerAdministrator' };
          spec.process.commandLine = 'cmd /c exit 1';
        },
      },
    );
    assert.equal(seen.id, '0');
  });
}
