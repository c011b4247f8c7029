/** Mount options of the specification's table that no other test sees at work; see requirements/mounts.ts. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { privateWorld, runtimes, temporaryFolder } from '../../test/harness/index.ts';
import { look, lookAt, testsOf } from '../../test/support/inside.ts';
import { mountAt, parseMountinfo } from '../../test/support/status.ts';

const { skip } = privateWorld();

const MOUNTINFO = { mounts: 'cat /proc/self/mountinfo' };

/** What the last of several options leaves in mountinfo. */
const OPPOSITES: readonly (readonly [options: string[], present: string[], absent: string[]])[] = [
  [['noatime', 'atime'], [], ['noatime']],
  [['noatime', 'norelatime'], [], ['relatime']],
  [['strictatime', 'nostrictatime'], [], ['noatime']],
  [['nosymfollow', 'symfollow'], [], ['nosymfollow']],
  [['strictatime', 'relatime'], ['relatime'], []],
];

/** Recursive options over a mount that has the opposite, below the bound folder. */
const RECURSIVE: readonly (readonly [
  below: string[],
  options: string[],
  present: string[],
  absent: string[],
])[] = [
  [['ro'], ['rrw'], ['rw'], ['ro']],
  [['nodev'], ['rdev'], [], ['nodev']],
  [['nosuid'], ['rsuid'], [], ['nosuid']],
  [['noexec'], ['rexec'], [], ['noexec']],
  [['nodiratime'], ['rdiratime'], [], ['nodiratime']],
  [['noatime'], ['rrelatime'], ['relatime'], ['noatime']],
  [['noatime'], ['ratime'], [], ['noatime']],
  [['nosymfollow'], ['rsymfollow'], [], ['nosymfollow']],
  [[], ['rnoatime', 'rnorelatime'], [], ['relatime']],
  [[], ['rstrictatime', 'rnostrictatime'], [], ['noatime']],
];

function nested(t: TestContext, options: readonly string[]): string {
  const source = temporaryFolder(t);
  mkdirSync(join(source, 'below'));
  const args = [
    '-t',
    'tmpfs',
    ...(options.length > 0 ? ['-o', options.join(',')] : []),
    'below',
    join(source, 'below'),
  ];
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return source;
}

function check(
  line: { options: readonly string[] },
  what: string,
  present: readonly string[],
  absent: readonly string[],
): void {
  for (const name of present) assert.ok(line.options.includes(name), `${name} in ${what}: ${line.options}`);
  for (const name of absent)
    assert.ok(!line.options.includes(name), `${name} not in ${what}: ${line.options}`);
}

/** A tmpfs with a file of user 1000 and group 1001, and one below it. */
function owned(t: TestContext): string {
  const source = nested(t, []);
  for (const folder of [source, join(source, 'below')]) {
    // Its own owner is in no mapping: then not even root may pass a closed folder.
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'file'), '');
    chownSync(join(folder, 'file'), 1000, 1001);
  }
  return source;
}

const OWNERS = { top: 'stat -c %u:%g /m/file', below: 'stat -c %u:%g /m/below/file' };
const MAPPING = {
  uidMappings: [{ containerID: 1000, hostID: 5000, size: 1 }],
  gidMappings: [{ containerID: 1001, hostID: 6000, size: 1 }],
};

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('options that undo others: the last one counts', (t) => {
    const { mounts } = look(t, runtime, MOUNTINFO, {
      own: () => {},
      config: (spec) => {
        OPPOSITES.forEach(([options], i) => {
          spec.mounts.push({ destination: `/m/${i}`, type: 'tmpfs', source: 'tmpfs', options: [...options] });
        });
      },
    });
    const lines = parseMountinfo(mounts!);
    OPPOSITES.forEach(([options, present, absent], i) => {
      check(mountAt(lines, `/m/${i}`), options.join(), present, absent);
    });
  });

  it('options of file systems that can’t be seen are accepted', (t) => {
    const { mounts } = look(t, runtime, MOUNTINFO, {
      own: () => {},
      config: (spec) => {
        // tmpfs keeps versions of inodes always, and shows it nowhere.
        spec.mounts.push({
          destination: '/m',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['iversion', 'nosuid'],
        });
      },
    });
    assert.ok(mountAt(parseMountinfo(mounts!), '/m').options.includes('nosuid'));
  });

  it('remount changes the options of a mount that is there', (t) => {
    const { mounts } = look(t, runtime, MOUNTINFO, {
      own: () => {},
      config: (spec) => {
        spec.mounts.push({ destination: '/m', type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] });
        spec.mounts.push({
          destination: '/m',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['remount', 'ro', 'nosuid'],
        });
      },
    });
    const lines = parseMountinfo(mounts!).filter(({ point }) => point === '/m');
    assert.equal(lines.length, 1);
    check(lines[0]!, 'remount,ro', ['ro', 'nosuid'], []);
  });

  it('recursive options that undo others', (t) => {
    const sources = RECURSIVE.map(([below]) => nested(t, below));
    const { mounts } = look(t, runtime, MOUNTINFO, {
      own: () => {},
      config: (spec) => {
        RECURSIVE.forEach(([, options], i) => {
          spec.mounts.push({
            destination: `/m/${i}`,
            type: 'none',
            source: sources[i]!,
            options: ['rbind', ...options],
          });
        });
      },
    });
    const lines = parseMountinfo(mounts!);
    RECURSIVE.forEach(([below, options, present, absent], i) => {
      check(mountAt(lines, `/m/${i}/below`), `${options} over [${below}]`, present, absent);
    });
  });

  it('idmap maps the owners of one mount, ridmap those below too, by the mount’s own mappings', (t) => {
    const source = owned(t);
    const seen = (option: string): Record<string, string> =>
      look(t, runtime, OWNERS, {
        own: () => {},
        config: (spec) => {
          const options = ['rbind', option];
          spec.mounts.push({ destination: '/m', type: 'none', source, options, ...MAPPING });
        },
      });
    assert.deepEqual(seen('idmap'), { top: '5000:6000', below: '1000:1001' });
    assert.deepEqual(seen('ridmap'), { top: '5000:6000', below: '5000:6000' });
    // The files themselves stay as they are: it is mount_setattr's mapping, not chown.
    assert.equal(statSync(join(source, 'file')).uid, 1000);
  });

  it('idmap without any mapping is an error', (t) => {
    const source = owned(t);
    for (const option of ['idmap', 'ridmap']) {
      const { code, stderr } = lookAt(t, runtime, 'true', {
        own: () => {},
        config: (spec) => {
          spec.mounts.push({ destination: '/m', type: 'none', source, options: ['rbind', option] });
        },
      });
      assert.notEqual(code, 0, option);
      assert.match(stderr, /mounts\[\d+\]/);
    }
  });

  it('a mapping without idmap maps all the same', (t) => {
    const source = owned(t);
    const seen = look(t, runtime, OWNERS, {
      own: () => {},
      config: (spec) => {
        spec.mounts.push({ destination: '/m', type: 'none', source, options: ['bind'], ...MAPPING });
      },
    });
    assert.equal(seen.top, '5000:6000');
  });
}
