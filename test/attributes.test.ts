/** What a process inherits from its container: personality, memory policy, session keyring. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { privateWorld, type Runtime, runtimes, session, type TestSpec } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import {
  look,
  lookAt,
  printing,
  type Sections,
  scriptBundle,
  sectionsOf,
  testsOf,
} from './support/inside.ts';

const { skip } = privateWorld();
const withoutNuma = !existsSync('/proc/self/numa_maps') && 'the kernel has no NUMA support';
const withoutKeys = !existsSync('/proc/keys') && 'the kernel has no keyrings';

/** What init and a process of exec see. */
function both(
  t: TestContext,
  runtime: Runtime,
  commands: Record<string, string>,
  config: (spec: TestSpec) => void,
  flags: string[] = [],
): { init: Sections; exec: Sections; id: string } {
  const s = session(t, runtime);
  const bundle = scriptBundle(t, `${printing(commands)}\necho @done; exec sleep 1000`, { config });
  const container = s.detach(bundle, { flags });
  assert.deepEqual([container.code, container.stderr], [0, '']);
  const exec = sectionsOf(s.ok(['exec', container.id, 'sh', '-c', printing(commands)]));
  const [printed = ''] = container.untilPrinted('@done').split('@done');
  return { init: sectionsOf(printed), exec, id: container.id };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('personality: LINUX32 is what a 32-bit machine has', (t) => {
    const { init, exec } = both(
      t,
      runtime,
      { machine: 'uname -m', bits: 'cat /proc/self/personality' },
      (spec) => {
        spec.linux.personality = { domain: 'LINUX32' };
      },
    );
    const machine = process.arch === 'x64' ? 'i686' : 'armv8l';
    assert.deepEqual(init, { machine, bits: '00000008' });
    assert.deepEqual(exec, init);
  });

  it('personality: LINUX is the usual one', (t) => {
    const seen = look(
      t,
      runtime,
      { bits: 'cat /proc/self/personality' },
      {
        config: (spec) => {
          spec.linux.personality = { domain: 'LINUX' };
        },
      },
    );
    assert.equal(seen.bits, '00000000');
  });

  it('personality: flags are ignored with a warning', (t) => {
    const { code, stderr } = lookAt(t, runtime, 'true', {
      config: (spec) => {
        spec.linux.personality = { domain: 'LINUX', flags: ['X'] };
      },
    });
    assert.equal(code, 0);
    assert.match(stderr, /level=warning msg="linux\.personality\.flags: no flag is defined: ignored"/);
  });
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip || withoutNuma);
  const policy = { policy: 'head -1 /proc/self/numa_maps | cut -d" " -f2' };

  it('memory policy', (t) => {
    const { init, exec } = both(t, runtime, policy, (spec) => {
      spec.linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] };
    });
    assert.equal(init.policy, 'bind=static:0');
    assert.deepEqual(exec, init);
  });

  it('memory policy: every mode', (t) => {
    for (const [memoryPolicy, expected] of [
      [{ mode: 'MPOL_DEFAULT' }, 'default'],
      [{ mode: 'MPOL_LOCAL' }, 'local'],
      [{ mode: 'MPOL_PREFERRED', nodes: '0' }, 'prefer:0'],
      [{ mode: 'MPOL_PREFERRED_MANY', nodes: '0' }, 'prefer (many):0'],
      [{ mode: 'MPOL_INTERLEAVE', nodes: '0', flags: ['MPOL_F_RELATIVE_NODES'] }, 'interleave=relative:0'],
    ] as const) {
      const { policy: text } = look(
        t,
        runtime,
        { policy: 'head -1 /proc/self/numa_maps' },
        {
          config: (spec) => {
            spec.linux.memoryPolicy = { ...memoryPolicy } as NonNullable<typeof spec.linux.memoryPolicy>;
          },
        },
      );
      assert.ok(text?.includes(` ${expected} `), text);
    }
  });

  it('memory policy: nodes that are not there are an error', (t) => {
    const result = lookAt(t, runtime, 'true', {
      globals: JSON_LOG,
      config: (spec) => {
        spec.linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: '900' };
      },
    });
    assert.equal(result.code, 1);
    assert.match(
      failureOf(result).msg,
      /linux\.memoryPolicy: set_mempolicy\(MPOL_BIND, \{nodes 900\}.*EINVAL.*a node is not there/,
    );
  });
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip || withoutKeys);
  const keys = { keys: 'cat /proc/keys' };
  const visible = (spec: TestSpec): void => {
    spec.linux.maskedPaths = [];
  };
  /** Names of session keyrings: everybody's that the reader may see. */
  const rings = (text: string | undefined): string[] =>
    [...(text ?? '').matchAll(/ keyring +(_ses\S*):/g)].map(([, name]) => name!);

  it('exec is in the session keyring of init: there is no other of its name', (t) => {
    const { init, exec, id } = both(t, runtime, keys, visible);
    const own = (text: string | undefined): string[] => rings(text).filter((name) => name === `_ses.${id}`);
    assert.equal(own(init.keys).length, 1, init.keys);
    assert.equal(own(exec.keys).length, 1, exec.keys);
  });

  it('--no-new-keyring makes none', (t) => {
    const { init, exec, id } = both(t, runtime, keys, visible, ['--no-new-keyring']);
    assert.ok(!rings(`${init.keys}${exec.keys}`).includes(`_ses.${id}`));
  });
}
