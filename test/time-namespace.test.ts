/** Time namespaces: made with offsets, joined by path, shared with `exec`. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { privateWorld, runtimes, type Session, session, type TestSpec } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, scriptBundle, testsOf } from './support/inside.ts';

const world = privateWorld();
const skip = world.skip || (existsSync('/proc/self/ns/time') ? false : 'the kernel has no time namespaces');

const YEAR = 365 * 24 * 3600;

const withTime = (path?: string) => (spec: TestSpec) => {
  spec.linux.namespaces.push({ type: 'time', ...(path === undefined ? {} : { path }) });
};

const uptime = (text = readFileSync('/proc/uptime', 'utf8')): number => Number(text.split(' ')[0]);

/** Offsets as /proc/PID/timens_offsets has them. */
function offsets(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/))
      .map(([clock = '', secs, nanosecs]) => [clock, `${secs} ${nanosecs}`]),
  );
}

const SHOW = {
  uptime: 'cat /proc/uptime',
  offsets: 'cat /proc/self/timens_offsets',
  link: 'readlink /proc/self/ns/time',
};

/** A container that sleeps, with a time namespace of its own. */
function sleeping(
  t: TestContext,
  s: Session,
  change: (spec: TestSpec) => void = () => {},
): { id: string; pid: number } {
  const bundle = scriptBundle(t, 'exec sleep 1000', {
    config: (spec) => {
      withTime()(spec);
      spec.linux.timeOffsets = { boottime: { secs: YEAR } };
      change(spec);
    },
  });
  const { id, code, stderr } = s.detach(bundle);
  assert.deepEqual([code, stderr], [0, '']);
  return { id, pid: s.state(id).pid };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a new one has the clocks of the host, moved by the offsets', (t) => {
    const seen = look(t, runtime, SHOW, {
      config: (spec) => {
        withTime()(spec);
        spec.linux.timeOffsets = {
          boottime: { secs: YEAR, nanosecs: 500_000_000 },
          monotonic: { secs: -1, nanosecs: 7 },
        };
      },
    });
    assert.ok(Math.abs(uptime(seen.uptime!) - uptime() - YEAR) < 30, seen.uptime);
    assert.deepEqual(offsets(seen.offsets!), { boottime: `${YEAR} 500000000`, monotonic: '-1 7' });
    assert.notEqual(seen.link, readlinkSync('/proc/self/ns/time'));
  });

  it('a new one without offsets is a namespace of its own all the same', (t) => {
    const seen = look(t, runtime, SHOW, { config: withTime() });
    assert.ok(Math.abs(uptime(seen.uptime!) - uptime()) < 30, seen.uptime);
    assert.notEqual(seen.link, readlinkSync('/proc/self/ns/time'));
  });

  it('without one the container is in the runtime’s', (t) => {
    assert.equal(look(t, runtime, SHOW).link, readlinkSync('/proc/self/ns/time'));
  });

  it('together with a user namespace, whose root sets the clocks', (t) => {
    const seen = look(t, runtime, SHOW, {
      config: (spec) => {
        withTime()(spec);
        spec.linux.timeOffsets = { boottime: { secs: YEAR } };
        spec.linux.namespaces.push({ type: 'user' });
        spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
        spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
      },
    });
    assert.equal(offsets(seen.offsets!).boottime, `${YEAR} 0`);
  });

  it('exec joins it', (t) => {
    const s = session(t, runtime);
    const { id, pid } = sleeping(t, s);
    const inside = s
      .ok(['exec', id, 'sh', '-c', 'readlink /proc/self/ns/time; cat /proc/uptime'])
      .split('\n');
    assert.equal(inside[0], readlinkSync(`/proc/${pid}/ns/time`));
    assert.ok(uptime(inside[1]) > YEAR, inside[1]);
  });

  it('a container joins another’s by its path', (t) => {
    const s = session(t, runtime);
    const { pid } = sleeping(t, s);
    const path = `/proc/${pid}/ns/time`;
    const seen = look(t, runtime, SHOW, { config: withTime(path) });
    assert.equal(seen.link, readlinkSync(path));
    assert.ok(uptime(seen.uptime!) > YEAR);
  });

  it('a hook in the container’s namespaces is in it', (t) => {
    const s = session(t, runtime);
    const { id } = sleeping(t, s, (spec) => {
      const args = ['sh', '-c', 'cat /proc/uptime >/dev/shm/uptime'];
      spec.hooks = { startContainer: [{ path: '/bin/sh', args, env: ['PATH=/bin'] }] };
    });
    assert.ok(uptime(s.ok(['exec', id, 'cat', '/dev/shm/uptime'])) > YEAR);
  });

  for (const [what, change, field, pattern] of [
    [
      'offsets without a time namespace',
      (spec: TestSpec) => {
        spec.linux.timeOffsets = { boottime: { secs: 1 } };
      },
      'linux.timeOffsets',
      /time namespace offsets specified, but time namespace isn't enabled in the config/,
    ],
    [
      'offsets of a namespace that is joined',
      (spec: TestSpec) => {
        withTime('/proc/self/ns/time')(spec);
        spec.linux.timeOffsets = { boottime: { secs: 1 } };
      },
      'linux.timeOffsets',
      /both namespace path and time offsets specified/,
    ],
    [
      'a clock that would be negative',
      (spec: TestSpec) => {
        withTime()(spec);
        spec.linux.timeOffsets = { boottime: { secs: -100 * YEAR } };
      },
      'linux.timeOffsets',
      /ERANGE.*the clock would be negative/,
    ],
    [
      'a clock beyond what the kernel counts',
      (spec: TestSpec) => {
        withTime()(spec);
        spec.linux.timeOffsets = { monotonic: { secs: 2 ** 62 } };
      },
      'linux.timeOffsets',
      /ERANGE/,
    ],
    ['a path of another type', withTime('/proc/self/ns/uts'), 'linux.namespaces[6].path', /another type/],
  ] as const) {
    it(`${what} is an error, and nothing is left`, (t) => {
      const { exit, msg } = failureOf(lookAt(t, runtime, 'true', { config: change, globals: JSON_LOG }));
      assert.equal(exit, 1);
      assert.ok(msg.includes(field), msg);
      assert.match(msg, pattern);
    });
  }
}
