/** Namespaces: made, joined or left alone; names, loopback and sysctls in them. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LinuxNamespace } from '../src/spec/types.ts';
import { privateWorld, runtimes, session, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, scriptBundle, testsOf } from './support/inside.ts';

const { skip } = privateWorld({ network: true });

type Type = LinuxNamespace['type'];

/** Names below /proc/PID/ns. */
const LINKS = { pid: 'pid', network: 'net', ipc: 'ipc', uts: 'uts', mount: 'mnt', cgroup: 'cgroup' } as const;
const TYPES = Object.keys(LINKS) as (keyof typeof LINKS)[];

const SHOW = {
  links: `for n in ${Object.values(LINKS).join(' ')} user; do echo "$n $(readlink /proc/self/ns/$n)"; done`,
};

function parseLinks(text: string): Record<string, string> {
  return Object.fromEntries(text.split('\n').map((line) => line.split(' ') as [string, string]));
}

/** Of a process of this world. */
function linksOf(pid: number | 'self'): Record<string, string> {
  return Object.fromEntries(
    [...Object.values(LINKS), 'user'].map((name) => [name, readlinkSync(`/proc/${pid}/ns/${name}`)]),
  );
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('each namespace is new, or the runtime’s own', (t) => {
    const mine = linksOf('self');
    const all = parseLinks(look(t, runtime, SHOW).links!);
    for (const name of Object.values(LINKS)) assert.notEqual(all[name], mine[name], name);
    assert.equal(all.user, mine.user);
    for (const absent of TYPES.filter((type) => type !== 'mount')) {
      const seen = look(t, runtime, SHOW, {
        config: (spec) => {
          spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== absent);
          if (absent === 'uts') delete spec.hostname;
          // A sysfs belongs to its network namespace, and only there it may be mounted anew.
          if (absent === 'network')
            spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/sys');
          spec.linux.maskedPaths = [];
        },
      });
      const links = parseLinks(seen.links!);
      for (const type of TYPES) {
        const own = mine[LINKS[type]] === links[LINKS[type]];
        assert.equal(own, type === absent, `${type} without ${absent}`);
      }
    }
  });

  it('namespaces joined by path are another container’s', (t) => {
    const s = session(t, runtime);
    const sleeper = scriptBundle(t, 'sleep 60', {
      config: (spec) => {
        spec.hostname = 'other';
      },
    });
    const { id, code, output } = s.detach(sleeper);
    assert.equal(code, 0, output());
    const { pid } = s.state(id);
    const theirs = linksOf(pid);
    const joined = ['pid', 'network', 'ipc', 'uts', 'cgroup'] as const;
    const bundle = scriptBundle(
      t,
      `${SHOW.links}; hostname; ps -o args | grep -c '^sleep 60'; echo $$ > /proc/self/fd/2`,
      {
        config: (spec) => {
          delete spec.hostname;
          for (const namespace of spec.linux.namespaces) {
            if ((joined as readonly string[]).includes(namespace.type))
              namespace.path = `/proc/${pid}/ns/${LINKS[namespace.type as keyof typeof LINKS]}`;
          }
        },
      },
    );
    const { stdout, stderr } = s.run(bundle);
    const [name, sleeping] = stdout.trim().split('\n').slice(-2);
    const links = parseLinks(stdout.trim().split('\n').slice(0, -2).join('\n'));
    for (const type of joined) assert.equal(links[LINKS[type]], theirs[LINKS[type]], type);
    assert.notEqual(links.mnt, theirs.mnt);
    assert.deepEqual([name, sleeping], ['other', '1']);
    assert.notEqual(stderr.trim(), '1');
    // And one by one.
    for (const type of joined) {
      bundle.config.linux.namespaces = TYPES.map((t) =>
        t === type ? { type: t, path: `/proc/${pid}/ns/${LINKS[t]}` } : { type: t },
      );
      bundle.config.process.args[2] = SHOW.links;
      bundle.save();
      const one = parseLinks(s.run(bundle).stdout.trim());
      assert.equal(one[LINKS[type]], theirs[LINKS[type]], type);
      for (const other of TYPES) if (other !== type) assert.notEqual(one[LINKS[other]], theirs[LINKS[other]]);
    }
  });

  it('a network namespace joined by its file, as CNI plug-ins make them', (t) => {
    const file = join(temporaryFolder(t), 'netns');
    writeFileSync(file, '');
    const made = spawnSync('unshare', ['--net', 'mount', '--bind', '/proc/self/ns/net', file], {
      encoding: 'utf8',
    });
    assert.equal(made.status, 0, made.stderr);
    const seen = look(t, runtime, SHOW, {
      config: (spec) => {
        spec.linux.namespaces.find(({ type }) => type === 'network')!.path = file;
      },
    });
    assert.equal(parseLinks(seen.links!).net, `net:[${statSync(file).ino}]`);
    spawnSync('umount', [file]);
  });

  it('a mount namespace joined by path', (t) => {
    const holder = spawnSync('unshare', ['--mount', 'sh', '-c', 'setsid sleep 30 <&- >&- 2>&- & echo $!'], {
      encoding: 'utf8',
    });
    const pid = Number(holder.stdout);
    try {
      const link = readlinkSync(`/proc/${pid}/ns/mnt`);
      const seen = look(t, runtime, SHOW, {
        config: (spec) => {
          spec.linux.namespaces.find(({ type }) => type === 'mount')!.path = `/proc/${pid}/ns/mnt`;
        },
      });
      assert.equal(parseLinks(seen.links!).mnt, link);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });

  it('a path that is no such namespace', (t) => {
    const folder = temporaryFolder(t);
    const fifo = join(folder, 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    const cases: [Type, string, RegExp][] = [
      ['network', '/proc/self/ns/uts', /linux\.namespaces\[1\]\.path: setns\(.*EINVAL.*another type/],
      ['uts', '/etc/passwd', /linux\.namespaces\[3\]\.path: setns\(.*EINVAL/],
      ['ipc', '/no/such', /linux\.namespaces\[2\]\.path: openat\(.*\/no\/such.*ENOENT/],
      ['cgroup', '/proc', /linux\.namespaces\[5\]\.path: setns\(.*EINVAL/],
      ['network', fifo, /linux\.namespaces\[1\]\.path: setns\(.*EINVAL/],
      ['network', 'relative/path', /linux\.namespaces\[1\]\.path/],
    ];
    for (const [type, path, pattern] of cases) {
      const result = lookAt(t, runtime, 'echo ran', {
        globals: JSON_LOG,
        config: (spec) => {
          if (type === 'uts') delete spec.hostname;
          spec.linux.namespaces.find((namespace) => namespace.type === type)!.path = path;
        },
      });
      assert.match(failureOf(result).msg, pattern);
      assert.equal(result.stdout, '');
    }
  });

  it('lo is up in a new network namespace', (t) => {
    const seen = look(t, runtime, {
      interfaces: 'ls /sys/class/net',
      lo: 'ip addr show lo',
      ping: 'nc -l -p 99 -e true & sleep 0.1; echo | nc -w 2 127.0.0.1 99 && echo reached',
    });
    assert.equal(seen.interfaces, 'lo');
    assert.match(seen.lo!, /<LOOPBACK,UP,LOWER_UP>[\s\S]*inet 127\.0\.0\.1\/8/);
    assert.match(seen.ping!, /reached/);
  });

  it('hostname and domainname', (t) => {
    const before = readFileSync('/proc/sys/kernel/hostname', 'utf8');
    for (const [hostname, domainname] of [
      ['box', 'example.org'],
      ['x'.repeat(64), 'y'.repeat(64)],
      ['ünï', 'dömain'],
    ] as const) {
      const seen = look(
        t,
        runtime,
        { host: 'hostname', domain: 'cat /proc/sys/kernel/domainname' },
        {
          config: (spec) => {
            spec.hostname = hostname;
            spec.domainname = domainname;
          },
        },
      );
      assert.deepEqual(seen, { host: hostname, domain: domainname });
    }
    assert.equal(readFileSync('/proc/sys/kernel/hostname', 'utf8'), before);
    for (const [field, pattern] of [
      ['hostname', /hostname/],
      ['domainname', /domainname/],
    ] as const) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => {
          spec[field] = 'x'.repeat(65);
        },
      });
      const { exit, msg } = failureOf(result);
      assert.equal(exit, 1);
      assert.match(msg, pattern);
      const withoutUts = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => {
          delete spec.hostname;
          spec[field] = 'box';
          spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'uts');
        },
      });
      assert.match(failureOf(withoutUts).msg, pattern);
    }
  });

  it('sysctls, written with dots or slashes', (t) => {
    const files = {
      'net.ipv4.ip_forward': ['1', 'net/ipv4/ip_forward'],
      'net/ipv4/tcp_syncookies': ['0', 'net/ipv4/tcp_syncookies'],
      'net.ipv4.ip_local_port_range': ['20000\t30000', 'net/ipv4/ip_local_port_range'],
      'net.ipv4.conf.lo.rp_filter': ['2', 'net/ipv4/conf/lo/rp_filter'],
      'net.core.somaxconn': ['321', 'net/core/somaxconn'],
      'kernel.shmmax': ['12345678', 'kernel/shmmax'],
      'kernel.sem': ['100\t1000\t50\t20', 'kernel/sem'],
      'fs.mqueue.msg_max': ['12', 'fs/mqueue/msg_max'],
    };
    const before = Object.values(files).map(([, path]) => readFileSync(`/proc/sys/${path}`, 'utf8'));
    const commands = Object.fromEntries(
      Object.entries(files).map(([name, [, path]]) => [name, `cat /proc/sys/${path}`]),
    );
    const seen = look(t, runtime, commands, {
      config: (spec) => {
        spec.linux.sysctl = Object.fromEntries(
          Object.entries(files).map(([name, [value]]) => [name, value!]),
        );
      },
    });
    assert.deepEqual(seen, Object.fromEntries(Object.entries(files).map(([name, [value]]) => [name, value])));
    const after = Object.values(files).map(([, path]) => readFileSync(`/proc/sys/${path}`, 'utf8'));
    assert.deepEqual(after, before);
  });

  it('a sysctl that can’t be', (t) => {
    const cases: [name: string, value: string, pattern: RegExp][] = [
      ['net.ipv4.no_such', '1', /linux\.sysctl\["net\.ipv4\.no_such"\].*ENOENT.*no such sysctl/],
      ['net.ipv4.ip_forward', 'many', /linux\.sysctl\["net\.ipv4\.ip_forward"\].*EINVAL.*refuses this value/],
      ['kernel.pid_max', '1000', /linux\.sysctl.*kernel\.pid_max/],
      ['vm.swappiness', '1', /linux\.sysctl.*vm\.swappiness/],
      ['kernel.hostname', 'x', /linux\.sysctl.*conflicts with the OCI "hostname" field/],
      ['net/../kernel/pid_max', '1000', /linux\.sysctl.*not a valid name/],
    ];
    const before = readFileSync('/proc/sys/kernel/pid_max', 'utf8');
    for (const [name, value, pattern] of cases) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => {
          spec.linux.sysctl = { [name]: value };
        },
      });
      assert.match(failureOf(result).msg, pattern);
    }
    assert.equal(readFileSync('/proc/sys/kernel/pid_max', 'utf8'), before);
  });

  it('the same namespace twice, and one that there is not', (t) => {
    for (const [type, pattern] of [
      ['uts', /linux\.namespaces\[6\]\.type: duplicate namespace "uts"/],
      ['weather', /linux\.namespaces\[6\]\.type/],
    ] as const) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => void spec.linux.namespaces.push({ type: type as Type }),
      });
      const { exit, code, msg } = failureOf(result);
      assert.deepEqual([exit, code], [1, 'E_CONFIG_INVALID']);
      assert.match(msg, pattern);
    }
  });
}
