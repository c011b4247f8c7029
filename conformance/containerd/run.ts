/**
 * Cases of `ctr run`: what a container is given.
 *
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, ok, waitFor } from '../engines/engine.ts';
import { detach, newId, onTty, output, run, runArguments, runtimeFlags, task } from './ctr.ts';
import { type Containerd, ctr, ctrOk } from './daemon.ts';

/** An empty folder of the case's own. */
function folder(box: Containerd, name: string): string {
  const path = join(box.setting.folder, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return path;
}

/** A set of /proc/PID/status as a number. */
function statusSet(text: string, name: string): bigint {
  return BigInt(`0x${text.match(new RegExp(`^${name}:\\s*(\\w+)$`, 'm'))![1]}`);
}

const capability = { NET_RAW: 13n, SYS_ADMIN: 21n } as const;

export const runCases: readonly Case<Containerd>[] = [
  {
    name: 'ctr run: output and exit code',
    run(box) {
      const { code, stdout, stderr } = run(box, ['sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.deepEqual([code, stdout, stderr], [7, 'out\n', 'err\n']);
    },
  },
  {
    name: 'ctr run: standard input',
    run(box) {
      const lines = 'a line\n'.repeat(10_000);
      // This ctr doesn't tell the container of its input's end.
      const { code, stdout } = run(box, ['head', '-n', '10000'], [], lines);
      assert.deepEqual([code, stdout.length], [0, lines.length]);
    },
  },
  {
    name: 'ctr run: a command that ends by a signal',
    run(box) {
      assert.equal(run(box, ['sh', '-c', 'sh -c "kill -9 \\$\\$"; exit $?']).code, 137);
    },
  },
  {
    name: 'ctr run: a command that is not there',
    run(box) {
      const { code, stderr } = run(box, ['absent']);
      assert.notEqual(code, 0);
      assert.match(stderr, /absent.*(not found|no such file)/is);
    },
  },
  {
    name: 'ctr run -t: a terminal with its size',
    run(box) {
      const script =
        'tty && [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && until stty size 2>/dev/null | grep .; do sleep 0.1; done; exit 3';
      const { code, stdout } = onTty(
        box,
        runArguments(box, ['--rm', '-t'], newId(box), ['sh', '-c', script]),
      );
      assert.equal(code, 3, stdout);
      assert.match(stdout, /\/dev\/(console|pts\/0)\n(.*\n)*30 90\n/);
    },
  },
  {
    name: 'ctr run -t: what is typed arrives',
    run(box) {
      const command = ['sh', '-c', 'read word; echo "got $word"'];
      const { code, stdout } = onTty(box, runArguments(box, ['--rm', '-t'], newId(box), command), 'hello\n');
      assert.equal(code, 0, stdout);
      assert.match(stdout, /got hello\n/);
    },
  },
  {
    name: 'ctr run -t -d: a terminal in the background',
    run(box) {
      const id = newId(box);
      const { code, stdout } = onTty(
        box,
        runArguments(box, ['-t', '-d'], id, ['sh', '-c', 'tty > /tty; exec sleep 600']),
      );
      assert.equal(code, 0, stdout);
      const { pid } = task(box, id)!;
      const file = `/proc/${pid}/root/tty`;
      waitFor('the terminal', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'));
      assert.match(readFileSync(file, 'utf8'), /^\/dev\/(console|pts\/0)\n$/);
    },
  },
  {
    name: 'ctr run: environment, working directory, host name',
    run(box) {
      const text = output(box, 'echo "$A $FROM_IMAGE"; pwd; hostname; echo $$', [
        '--env',
        'A=b',
        '--cwd',
        '/usr',
      ]);
      const [environment, cwd, , pid] = text.split('\n');
      assert.deepEqual([environment, cwd, pid], ['b yes', '/usr', '1']);
    },
  },
  {
    name: 'ctr run: capabilities',
    run(box) {
      const flags = ['--cap-add', 'CAP_SYS_ADMIN', '--cap-drop', 'CAP_NET_RAW'];
      const text = output(box, 'cat /proc/self/status', flags);
      for (const name of ['CapEff', 'CapPrm', 'CapBnd']) {
        const set = statusSet(text, name);
        assert.equal((set >> capability.SYS_ADMIN) & 1n, 1n, name);
        assert.equal((set >> capability.NET_RAW) & 1n, 0n, name);
      }
      assert.match(text, /^NoNewPrivs:\s*1$/m);
    },
  },
  {
    name: 'ctr run --allow-new-privs',
    run(box) {
      assert.match(output(box, 'cat /proc/self/status', ['--allow-new-privs']), /^NoNewPrivs:\s*0$/m);
    },
  },
  {
    name: 'ctr run --privileged',
    run(box) {
      const text = output(box, 'cat /proc/self/status; mount -t tmpfs none /tmp && echo mounted', [
        '--privileged',
      ]);
      assert.equal((statusSet(text, 'CapEff') >> capability.SYS_ADMIN) & 1n, 1n);
      assert.match(text, /mounted/);
    },
  },
  {
    name: 'ctr run --seccomp: the default profile',
    run(box) {
      const text = output(box, 'cat /proc/self/status; unshare -U true; echo "code $?"', ['--seccomp']);
      assert.match(text, /^Seccomp:\s*2$/m);
      assert.doesNotMatch(text, /code 0/);
    },
  },
  {
    name: 'ctr run --seccomp-profile: a profile of the user',
    run(box) {
      const file = join(box.setting.folder, 'seccomp.json');
      const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 };
      writeFileSync(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
      const text = output(box, 'mkdir /x 2>&1; true', ['--seccomp', '--seccomp-profile', file]);
      assert.match(text, /No space left/);
    },
  },
  {
    name: 'ctr run --read-only',
    run(box) {
      assert.match(
        output(box, 'touch /x 2>&1; echo > /dev/shm/x && echo shm', ['--read-only']),
        /Read-only(.|\n)*shm/,
      );
    },
  },
  {
    name: 'ctr run --mount: bind, read-only and tmpfs',
    run(box) {
      const path = folder(box, 'volume');
      writeFileSync(join(path, 'file'), 'from the host\n');
      const flags = [
        ...['--mount', `type=bind,src=${path},dst=/data,options=rbind:rw`],
        ...['--mount', `type=bind,src=${path},dst=/fixed,options=rbind:ro`],
        ...['--mount', 'type=tmpfs,src=tmpfs,dst=/fast,options=size=64k:mode=700'],
      ];
      const script =
        'cat /data/file; echo back > /data/answer; touch /fixed/x 2>&1; stat -c %a /fast; grep /fast /proc/mounts';
      const text = output(box, script, flags);
      assert.match(text, /^from the host\n.*Read-only.*\n700\n.*size=64k/);
      assert.equal(readFileSync(join(path, 'answer'), 'utf8'), 'back\n');
    },
  },
  {
    name: 'ctr run --device',
    run(box) {
      const text = output(box, 'head -c 4 /dev/kmsg >/dev/null; ls -l /dev/kmsg', ['--device', '/dev/kmsg']);
      assert.match(text, /^crw.* 1, *11 .*\/dev\/kmsg\n$/);
    },
  },
  {
    name: 'ctr run --net-host',
    run(box) {
      assert.equal(
        output(box, 'readlink /proc/self/ns/net', ['--net-host']).trim(),
        readlinkSync('/proc/self/ns/net'),
      );
    },
  },
  {
    name: 'ctr run --with-ns: joins a namespace',
    run(box) {
      const { pid } = task(box, detach(box))!;
      const path = `/proc/${pid}/ns/net`;
      assert.equal(
        output(box, 'readlink /proc/self/ns/net', ['--with-ns', `network:${path}`]).trim(),
        readlinkSync(path),
      );
    },
  },
  {
    name: 'ctr run --cni: an address, and the host reached',
    run(box) {
      const text = output(box, 'ip -4 -o addr show eth0; ping -c 1 -W 5 10.88.0.1', ['--cni']);
      assert.match(text, /inet 10\.88\.0\.\d+\/16(.|\n)* 0% packet loss/);
    },
  },
  {
    name: 'ctr run --uidmap, --gidmap: a user namespace',
    run(box) {
      const flags = ['--uidmap', '0:100000:65536', '--gidmap', '0:200000:65536'];
      const text = output(
        box,
        'id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /bin/sh',
        flags,
      );
      assert.deepEqual(text.trim().split(/\s+/), [
        '0',
        '0',
        '100000',
        '65536',
        '0',
        '200000',
        '65536',
        '0:0',
      ]);
    },
  },
  {
    name: 'ctr run --rootfs: a folder of the user',
    run(box) {
      const path = folder(box, 'rootfs');
      ok(box.setting.place, ['tar', '-xf', box.setting.image.rootfs, '-C', path]);
      const args = [
        'run',
        '--rm',
        ...runtimeFlags(box),
        '--rootfs',
        path,
        newId(box),
        '/bin/cat',
        '/etc/group',
      ];
      assert.match(ctrOk(box, args), /^extra:x:2000:user$/m);
    },
  },
  {
    name: 'ctr run --config: a config.json, with hooks',
    run(box) {
      const path = folder(box, 'config');
      const { place, runtime, image } = box.setting;
      ok(place, ['tar', '-xf', image.rootfs, '-C', path]);
      ok(place, ['sh', '-c', `cd "$1" && mkdir bundle && cd bundle && "$2" spec`, 'sh', path, runtime.path]);
      const file = join(path, 'bundle/config.json');
      const spec = JSON.parse(readFileSync(file, 'utf8'));
      const hook = (name: string) => [{ path: '/bin/sh', args: ['sh', '-c', `cat > ${path}/${name}`] }];
      Object.assign(spec, {
        root: { path },
        process: { ...spec.process, terminal: false, args: ['sh', '-c', 'echo ran'] },
        hooks: {
          prestart: hook('prestart'),
          createRuntime: hook('createRuntime'),
          poststop: hook('poststop'),
        },
      });
      spec.linux.cgroupsPath = `/${box.setting.token}/config`;
      writeFileSync(file, JSON.stringify(spec));
      const id = newId(box);
      const args = ['run', '--rm', '--runc-binary', runtime.path, '--config', file, id];
      assert.equal(ctrOk(box, args), 'ran\n');
      for (const [name, status] of [
        ['prestart', /creat/],
        ['createRuntime', /creat/],
        ['poststop', /stopped/],
      ] as const) {
        const state = JSON.parse(readFileSync(join(path, name), 'utf8'));
        assert.equal(state.id, id, name);
        assert.match(state.status, status, name);
      }
    },
  },
  {
    name: 'ctr run --pid-file, --annotation',
    run(box) {
      const file = join(box.setting.folder, 'pid');
      const id = detach(box, ['--pid-file', file, '--annotation', 'org.example.name=x']);
      assert.equal(Number(readFileSync(file, 'utf8')), task(box, id)!.pid);
    },
  },
  {
    name: 'ctr run --log-uri: output goes to a file',
    run(box) {
      const file = join(box.setting.folder, 'container.log');
      const id = detach(
        box,
        ['--log-uri', `file://${file}`],
        ['sh', '-c', 'echo out; echo err >&2; exec sleep 600'],
      );
      const read = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
      waitFor('the log', () => read().includes('out\n') && read().includes('err\n'));
      ctrOk(box, ['tasks', 'kill', '-s', 'KILL', id]);
    },
  },
  {
    name: 'ctr run --null-io',
    run(box) {
      const { code, stdout } = run(box, ['sh', '-c', 'echo out; exit 4'], ['--null-io']);
      assert.deepEqual([code, stdout], [4, '']);
    },
  },
  {
    name: 'ctr run --no-pivot',
    run(box) {
      assert.equal(output(box, 'echo in; ls /etc/passwd', ['--no-pivot']), 'in\n/etc/passwd\n');
    },
  },
  {
    name: 'ctr run --rootfs-propagation',
    run(box) {
      const text = output(box, 'grep " / / " /proc/self/mountinfo', ['--rootfs-propagation', 'shared']);
      assert.match(text, / shared:\d+/, 'the root is not shared');
    },
  },
  {
    name: 'ctr run: masked and read-only paths of the default config',
    run(box) {
      const script = 'wc -c < /proc/keys; echo 1 > /proc/sys/kernel/panic; ls /sys/firmware | wc -l';
      const { stdout, stderr } = ctr(
        box,
        runArguments(box, ['--rm'], newId(box), ['sh', '-c', `${script}; true`]),
      );
      assert.match(stdout, /^0\n0\n$/);
      assert.match(stderr, /Read-only/);
    },
  },
  {
    name: 'ctr run: twenty containers, five at a time',
    run(box) {
      const ids = Array.from({ length: 20 }, () => newId(box));
      const { place } = box.setting;
      const command = ['ctr', '--address', '/run/containerd/containerd.sock', '--namespace', box.namespace];
      const args = runArguments(box, ['--rm'], '{}', ['echo', '{}']);
      const text = ok(place, ['xargs', '-P', '5', '-I', '{}', ...command, ...args], `${ids.join('\n')}\n`);
      assert.deepEqual(text.trim().split('\n').sort(), ids.sort());
    },
  },
];
