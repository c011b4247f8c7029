/**
 * AppArmor profiles, on a kernel that enforces them.
 *
 *     npm test -- test/vm/apparmor.test.ts
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { securityModules } from '../../src/linux/security.ts';
import {
  hasCommand,
  isRoot,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
} from '../harness/index.ts';
import { failureOf, JSON_LOG } from '../support/errors.ts';
import { look, lookAt, scriptBundle } from '../support/inside.ts';
import { IN_VM } from './requirements.ts';

const PROFILE = 'runts-test';
const OTHER = 'runts-test-other';

function reason(): string | false {
  if (!isRoot) return 'needs root';
  if (!securityModules().apparmor) return `AppArmor is off here; ${IN_VM}`;
  return !hasCommand('apparmor_parser') && `needs apparmor_parser; ${IN_VM}`;
}

const skip = reason() || privateWorld().skip;

/** Gives the text of profiles to the kernel, or takes them back. */
function parser(action: '--replace' | '--remove'): void {
  const folder = mkdtempSync(join(process.env.TMPDIR ?? '/tmp', 'runts-apparmor-'));
  const file = join(folder, 'profiles');
  const profile = (name: string, rule: string): string =>
    `profile ${name} flags=(attach_disconnected,mediate_deleted) { file, capability, network, mount, signal, ptrace, unix, ${rule} }\n`;
  writeFileSync(file, profile(PROFILE, 'deny /etc/passwd r,') + profile(OTHER, 'deny /etc/group r,'));
  const { status, stderr } = spawnSync('apparmor_parser', [action, '--skip-cache', file], {
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true });
  assert.equal(status, 0, stderr);
}

if (!skip) {
  parser('--replace');
  after(() => parser('--remove'));
}

const SHOW = {
  profile: 'cat /proc/self/attr/current',
  passwd: 'cat /etc/passwd >/dev/null && echo yes || echo no',
  group: 'cat /etc/group >/dev/null && echo yes || echo no',
};

const confined =
  (more: (spec: TestSpec) => void = () => {}) =>
  (spec: TestSpec): void => {
    spec.process.apparmorProfile = PROFILE;
    more(spec);
  };

function check(seen: Record<string, string>, profile: string): void {
  assert.equal(seen.profile, `${profile} (enforce)`);
  assert.match(seen.passwd!, profile === PROFILE ? /denied\nno$/ : /^yes$/);
  assert.match(seen.group!, profile === OTHER ? /denied\nno$/ : /^yes$/);
}

for (const runtime of skip ? [{ name: 'runts', command: [] } satisfies Runtime] : runtimes()) {
  const it = (name: string, body: (t: TestContext) => void): void =>
    void test(`${runtime.name}: ${name}`, { skip }, body);

  it('the profile is in force', (t) => {
    check(look(t, runtime, SHOW, { config: confined() }), PROFILE);
  });

  it('without noNewPrivileges too', (t) => {
    const config = confined((spec) => {
      spec.process.noNewPrivileges = false;
    });
    check(look(t, runtime, SHOW, { config }), PROFILE);
  });

  it('in a user namespace, and for an ordinary user', (t) => {
    const config = confined((spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
      spec.linux.namespaces.push({ type: 'user' });
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
      spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
    });
    check(look(t, runtime, SHOW, { config }), PROFILE);
  });

  it('without one the container is as the runtime', (t) => {
    assert.match(look(t, runtime, SHOW).profile!, /^unconfined/);
    const seen = look(t, runtime, SHOW, {
      config: (spec) => {
        spec.process.apparmorProfile = 'unconfined';
      },
    });
    assert.match(seen.profile!, /^unconfined/);
  });

  it('a mount over the container’s /proc does not fool the runtime', (t) => {
    const config = confined((spec) => {
      // What an attacker would want the runtime to write into; see CVE-2019-16884.
      spec.mounts.push({ destination: '/proc/uptime', type: 'bind', source: '/dev/null', options: ['bind'] });
    });
    check(look(t, runtime, SHOW, { config }), PROFILE);
  });

  it('a startContainer hook has it, in a user namespace too', (t) => {
    for (const mapped of [false, true]) {
      const config = confined((spec) => {
        const args = ['sh', '-c', 'cat /proc/self/attr/current >/dev/shm/profile'];
        spec.hooks = { startContainer: [{ path: '/bin/sh', args, env: ['PATH=/bin'] }] };
        if (!mapped) return;
        spec.linux.namespaces.push({ type: 'user' });
        spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
        spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
      });
      const { hook } = look(t, runtime, { hook: 'cat /dev/shm/profile' }, { config });
      assert.equal(hook, `${PROFILE} (enforce)`);
    }
  });

  it('exec has the container’s profile, or the one it is given', (t) => {
    const s = session(t, runtime);
    const { id } = s.detach(scriptBundle(t, 'exec sleep 1000', { config: confined() }));
    const show = ['cat', '/proc/self/attr/current'];
    assert.equal(s.ok(['exec', id, ...show]), `${PROFILE} (enforce)\n`);
    assert.equal(s.ok(['exec', '--apparmor', OTHER, id, ...show]), `${OTHER} (enforce)\n`);
  });

  it('a profile that isn’t loaded is an error', (t) => {
    const result = lookAt(t, runtime, 'true', {
      globals: JSON_LOG,
      config: (spec) => {
        spec.process.apparmorProfile = 'nonesuch';
      },
    });
    assert.equal(result.code, 1);
    const { msg } = failureOf(result);
    assert.match(msg, /process\.apparmorProfile: write\(attribute, "exec nonesuch".*ENOENT.*apparmor_parser/);
  });
}
