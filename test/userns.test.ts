/** User namespaces: ids, files, rights and everything else that differs in one, made by root. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, readlinkSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hook } from '../src/spec/types.ts';
import {
  type Bundle,
  privateWorld,
  runtimes,
  session,
  type TestSpec,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { type LookOptions, look, lookAt, scriptBundle, testsOf } from './support/inside.ts';
import { capabilitySets, mountAt, parseMountinfo, statusFields } from './support/status.ts';

const { skip } = privateWorld();

const BASE = 100_000;
const SIZE = 65_536;

function mapped(spec: TestSpec): void {
  spec.linux.namespaces.push({ type: 'user' });
  spec.linux.uidMappings = [{ containerID: 0, hostID: BASE, size: SIZE }];
  spec.linux.gidMappings = [{ containerID: 0, hostID: BASE, size: SIZE }];
}

/** A root file system that belongs to the container's root, which must be able to reach it. */
function own(rootfs: string): void {
  for (const above of ['..', '../..']) chmodSync(join(rootfs, above), 0o711);
  assert.equal(spawnSync('chown', ['-R', `${BASE}:${BASE}`, rootfs]).status, 0);
}

function inUserns(config?: (spec: TestSpec) => void): LookOptions {
  return {
    own,
    config: (spec) => {
      mapped(spec);
      config?.(spec);
    },
  };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('ids are mapped, root is root inside only', (t) => {
    let rootfs = '';
    const seen = look(
      t,
      runtime,
      {
        maps: 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "',
        id: 'id -u; id -g',
        user: 'readlink /proc/self/ns/user',
        file: 'touch /made; chown 12:34 /made; stat -c "%u:%g" /made /bin /etc/passwd',
        status: 'cat /proc/self/status',
        setgroups: 'cat /proc/self/setgroups',
        reboot: 'echo x > /proc/sysrq-trigger',
      },
      {
        ...inUserns(),
        own: (path) => {
          rootfs = path;
          own(path);
        },
      },
    );
    assert.equal(seen.maps, ` 0 ${BASE} ${SIZE}\n 0 ${BASE} ${SIZE}`);
    assert.equal(seen.id, '0\n0');
    assert.notEqual(seen.user, readlinkSync('/proc/self/ns/user'));
    assert.equal(seen.file, '12:34\n0:0\n0:0');
    assert.equal(seen.setgroups, 'allow');
    const made = statSync(join(rootfs, 'made'));
    assert.deepEqual([made.uid, made.gid], [BASE + 12, BASE + 34]);
    assert.equal(statusFields(seen.status!).Groups, '');
    assert.match(seen.reboot!, /Permission denied|Read-only file system|nonexistent/);
  });

  it('several ranges, and a user that is not root', (t) => {
    const seen = look(
      t,
      runtime,
      {
        status: 'cat /proc/self/status',
        maps: 'cat /proc/self/uid_map | tr -s " "',
        file: 'stat -c "%u:%g" /etc/group',
      },
      {
        own: (rootfs) => {
          own(rootfs);
          spawnSync('chown', ['1000:0', join(rootfs, 'etc/group')]);
        },
        config: (spec) => {
          mapped(spec);
          spec.linux.uidMappings = [
            { containerID: 0, hostID: BASE, size: 1000 },
            { containerID: 1000, hostID: 1000, size: 1 },
            { containerID: 1001, hostID: BASE + 5000, size: 10 },
          ];
          spec.process.user = { uid: 1000, gid: 7, additionalGids: [5, 77] };
          spec.process.capabilities = {
            ...spec.process.capabilities,
            inheritable: ['CAP_KILL'],
            ambient: ['CAP_KILL'],
          };
        },
      },
    );
    const { Uid, Gid, Groups } = statusFields(seen.status!);
    assert.equal(Uid, '1000\t1000\t1000\t1000');
    assert.equal(Gid, '7\t7\t7\t7');
    assert.equal(Groups, '5 77');
    assert.equal(capabilitySets(seen.status!).eff, 1n << 5n);
    assert.equal(seen.maps, ` 0 ${BASE} 1000\n 1000 1000 1\n 1001 ${BASE + 5000} 10`);
    // A file of the host's root belongs to nobody here.
    assert.equal(seen.file, '1000:65534');
  });

  // A cgroup that the container may write to belongs to its root: joining it is then the runtime's matter.
  for (const options of [['ro'], ['rw']]) {
    it(`hooks in the namespaces, with the cgroups mounted ${options}`, (t) => {
      const show = 'for n in user cgroup; do readlink /proc/self/ns/$n; done; grep 0:: /proc/self/cgroup';
      const seen = look(
        t,
        runtime,
        { outside: 'cat /outside', inside: 'cat /tmp/inside', command: show },
        inUserns((spec) => {
          const log = join(temporaryFolder(t), 'log');
          writeFileSync(log, '');
          chmodSync(join(log, '..'), 0o711);
          const hook = (script: string): Hook => ({
            path: '/bin/sh',
            args: ['sh', '-c', script],
            env: ['PATH=/usr/bin:/bin'],
          });
          spec.hooks = {
            createContainer: [hook(`(${show}) >${log}`)],
            startContainer: [hook(`(${show}) >/tmp/inside`)],
          };
          spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options });
          spec.mounts.push({ destination: '/outside', type: 'none', source: log, options: ['bind'] });
        }),
      );
      assert.match(seen.command!, /^user:.*\ncgroup:.*\n0::\/$/);
      assert.deepEqual([seen.outside, seen.inside], [seen.command, seen.command]);
    });
  }

  it('the rest of a container, in a user namespace', (t) => {
    const folder = temporaryFolder(t);
    chmodSync(folder, 0o711);
    const file = join(folder, 'file');
    writeFileSync(file, 'bound\n');
    const seen = look(
      t,
      runtime,
      {
        mounts: 'cat /proc/self/mountinfo',
        devices:
          'ls /dev; cd /dev; stat -c "%n %F %t:%T" null zero full random urandom tty; echo x > null; head -c 2 zero | wc -c',
        pts: 'exec 5<>/dev/ptmx && ls /dev/pts',
        names: 'hostname; cat /proc/sys/kernel/domainname',
        sysctl: 'cat /proc/sys/net/ipv4/ip_forward',
        masked: 'cat /proc/keys /etc/passwd; ls /sys/firmware',
        readonly: 'touch /etc/x',
        limits: 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj',
        bound: 'cat /bound/file; echo x > /bound/file',
        cwd: 'pwd; stat -c "%u:%g" .',
        mkdir: 'mkdir /tmp/x && stat -c %u /tmp/x',
        lo: 'ip addr show lo | grep -c UP',
      },
      inUserns((spec) => {
        spec.domainname = 'example.org';
        spec.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
        spec.linux.maskedPaths = ['/proc/keys', '/etc/passwd', '/sys/firmware'];
        spec.linux.readonlyPaths = ['/etc', '/proc/sys'];
        spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 77, hard: 99 }];
        spec.process.oomScoreAdj = 222;
        spec.process.cwd = '/srv/made';
        spec.mounts.push(
          { destination: '/bound/file', source: file, options: ['bind', 'ro'] },
          {
            destination: '/tmp',
            type: 'tmpfs',
            source: 'tmpfs',
            options: ['nosuid', 'mode=1777', 'size=1m'],
          },
        );
      }),
    );
    const mounts = parseMountinfo(seen.mounts!);
    for (const [point, type] of [
      ['/proc', 'proc'],
      ['/sys', 'sysfs'],
      ['/dev', 'tmpfs'],
      ['/dev/pts', 'devpts'],
      ['/dev/mqueue', 'mqueue'],
      ['/tmp', 'tmpfs'],
    ] as const)
      assert.equal(mountAt(mounts, point).type, type, point);
    assert.match(seen.devices!, /^null character special file 1:3$/m);
    assert.match(seen.devices!, /^tty character special file 5:0\n2$/m);
    assert.equal(seen.pts, '0\nptmx');
    assert.equal(seen.names, 'test\nexample.org');
    assert.equal(seen.sysctl, '1');
    assert.equal(seen.masked, '');
    assert.match(seen.readonly!, /Read-only file system/);
    assert.equal(seen.limits, '77\n99\n222');
    assert.match(seen.bound!, /^bound\n.*Read-only file system$/);
    assert.equal(seen.cwd, '/srv/made\n0:0');
    assert.equal(seen.mkdir, '0');
    assert.equal(seen.lo, '1');
  });

  it('its other namespaces belong to it: root in it may change them', (t) => {
    const seen = look(
      t,
      runtime,
      {
        uts: 'hostname changed && hostname',
        net: 'ip link set lo down && echo ok',
        mnt: 'mount -t tmpfs x /tmp && echo ok',
      },
      inUserns((spec) => {
        for (const set of ['bounding', 'effective', 'permitted'] as const)
          spec.process.capabilities![set]!.push('CAP_SYS_ADMIN', 'CAP_NET_ADMIN');
      }),
    );
    assert.deepEqual(seen, { uts: 'changed', net: 'ok', mnt: 'ok' });
  });

  it('linux.devices are the host’s own, bound', (t) => {
    const seen = look(
      t,
      runtime,
      { full: 'stat -c "%F %t:%T" /dev/full2 /dev/full; echo x > /dev/full' },
      inUserns((spec) => {
        spec.linux.devices = [{ path: '/dev/full', type: 'c', major: 1, minor: 7 }];
      }),
    );
    assert.match(seen.full!, /character special file 1:7\n.*No space left/);
  });

  it('create, start, exec, kill and delete', async (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'echo started; exec sleep 60', inUserns());
    const { id, code, output, untilPrinted } = s.create(bundle);
    assert.equal(code, 0, output());
    const { pid } = s.state(id);
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\t${BASE}\t`, 'm'));
    s.ok(['start', id]);
    const inside = s.ok([
      'exec',
      id,
      'sh',
      '-c',
      'id -u; cat /proc/self/uid_map | tr -s " "; readlink /proc/self/ns/user',
    ]);
    assert.equal(inside, `0\n 0 ${BASE} ${SIZE}\n${readlinkSync(`/proc/${pid}/ns/user`)}\n`);
    untilPrinted('started');
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
    assert.equal(output(), 'started\n');
  });

  it('a terminal', (t) => {
    const { code, stdout } = lookAt(
      t,
      runtime,
      'tty; stat -c "%u:%g" $(tty); test -c /dev/console && echo console',
      {
        ...inUserns((spec) => {
          spec.process.terminal = true;
          spec.process.user = { uid: 1000, gid: 1000 };
        }),
      },
    );
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^\/dev\/pts\/0\r\n1000:5\r\nconsole\r\n$/);
  });

  it('joined by path: another container’s', (t) => {
    const s = session(t, runtime);
    const first = s.detach(scriptBundle(t, 'sleep 60', inUserns()));
    assert.equal(first.code, 0, first.output());
    const { pid } = s.state(first.id);
    const join = (types: readonly string[]): Bundle =>
      scriptBundle(
        t,
        'readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map | tr -s " "; touch /made && stat -c %u /made',
        {
          own,
          config: (spec) => {
            if (types.includes('uts')) delete spec.hostname;
            spec.linux.namespaces.push({ type: 'user' });
            for (const namespace of spec.linux.namespaces) {
              const name = namespace.type === 'network' ? 'net' : namespace.type;
              if (types.includes(namespace.type)) namespace.path = `/proc/${pid}/ns/${name}`;
            }
          },
        },
      );
    const link = readlinkSync(`/proc/${pid}/ns/user`);
    for (const types of [['user'], ['user', 'network', 'ipc', 'uts', 'pid']]) {
      const { stdout, stderr, code } = s.run(join(types));
      assert.deepEqual([code, stdout, stderr], [0, `${link}\n0\n 0 ${BASE} ${SIZE}\n0\n`, ''], `${types}`);
    }
  });

  it('mappings that can’t be', (t) => {
    const one = [{ containerID: 0, hostID: BASE, size: SIZE }];
    const cases: [Partial<TestSpec['linux']>, RegExp][] = [
      [{ uidMappings: [] }, /linux\.uidMappings/],
      [{ gidMappings: undefined }, /linux\.gidMappings/],
      [{ namespaces: [{ type: 'mount' }, { type: 'uts' }] }, /linux\.(uid|gid)Mappings/],
      [
        { uidMappings: [...one, { containerID: 5, hostID: 5, size: 5 }] },
        /linux\.uidMappings\[1\]\.containerID.*overlap/,
      ],
      [{ uidMappings: [{ ...one[0]!, size: 0 }] }, /linux\.uidMappings\[0\]\.size/],
      [{ uidMappings: [{ ...one[0]!, size: 10 }] }, /process\.user/],
    ];
    for (const [change, pattern] of cases) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => {
          mapped(spec);
          spec.process.user = { uid: 50, gid: 0 };
          Object.assign(spec.linux, change);
        },
      });
      const { exit, msg } = failureOf(result);
      assert.equal(exit, 1);
      assert.match(msg, pattern);
    }
  });

  it('a rootfs that the container’s root can’t use', (t) => {
    const cases: [(rootfs: string) => void, RegExp][] = [
      // Nothing can be made in what belongs to the host's root: the destination of a mount is missing.
      [
        (rootfs) => {
          for (const above of ['..', '../..']) chmodSync(join(rootfs, above), 0o711);
          rmdirSync(join(rootfs, 'proc'));
        },
        /mounts\[0\]: mkdirat\(.*"proc".*(EACCES|EOVERFLOW)/,
      ],
      [(rootfs) => chmodSync(join(rootfs, '..'), 0o700), /root\.path: open_tree\(.*EACCES.*search/],
    ];
    for (const [change, pattern] of cases) {
      const result = lookAt(t, runtime, 'true', { globals: JSON_LOG, own: change, config: mapped });
      assert.match(failureOf(result).msg, pattern);
    }
  });
}
