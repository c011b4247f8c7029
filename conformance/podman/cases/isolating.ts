/**
 * What the container may do and see: users, capabilities, mounts, namespaces.
 *
 * @module
 */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { Case } from '../../engines/engine.ts';
import type { Box } from '../podman.ts';
import { asBoth, asRoot, asUser } from './case.ts';

const RUN = ['run', '--rm', '--network', 'none'];
const NO_CAPABILITIES = '0000000000000000';

/** A line of /proc/self/status. */
const status = (name: string) => ['sh', '-c', `grep ^${name}: /proc/self/status | cut -f2`];

export const isolating: readonly Case<Box>[] = [
  ...asBoth('run --user / --group-add', ({ podman }) => {
    const id = ['box', 'sh', '-c', 'id -u; id -g; id -G'];
    deepEqual(podman.ok(...RUN, '--user', '1000', ...id).split('\n'), ['1000', '1000', '1000 2000']);
    deepEqual(podman.ok(...RUN, '--user', '5:7', '--group-add', '9', ...id).split('\n'), ['5', '7', '7 9']);
  }),
  ...asBoth('run --cap-drop / --cap-add', ({ podman }) => {
    equal(podman.ok(...RUN, '--cap-drop', 'all', 'box', ...status('CapEff')), NO_CAPABILITIES);
    const one = ['--cap-drop', 'all', '--cap-add', 'chown'];
    equal(podman.ok(...RUN, ...one, 'box', ...status('CapEff')), '0000000000000001');
    equal(podman.ok(...RUN, '--user', '1000', 'box', ...status('CapEff')), NO_CAPABILITIES);
  }),
  ...asBoth('run --privileged', ({ podman }) => {
    notEqual(podman.ok(...RUN, '--privileged', 'box', ...status('CapEff')), NO_CAPABILITIES);
    equal(podman.ok(...RUN, '--privileged', 'box', ...status('Seccomp')), '0');
    podman.ok(...RUN, '--privileged', 'box', 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp');
  }),
  ...asBoth('run --security-opt no-new-privileges', ({ podman }) => {
    const option = ['--security-opt', 'no-new-privileges'];
    equal(podman.ok(...RUN, ...option, 'box', ...status('NoNewPrivs')), '1');
  }),
  ...asBoth('run --security-opt seccomp', ({ podman, folder }) => {
    equal(podman.ok(...RUN, 'box', ...status('Seccomp')), '2');
    equal(podman.ok(...RUN, '--security-opt', 'seccomp=unconfined', 'box', ...status('Seccomp')), '0');
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
    };
    writeFileSync(`${folder}/profile.json`, JSON.stringify(profile));
    const mkdir = ['box', 'mkdir', '/new'];
    const { code, stderr } = podman.call(
      ...RUN,
      '--security-opt',
      `seccomp=${folder}/profile.json`,
      ...mkdir,
    );
    equal(code, 1);
    match(stderr, /No space left/);
  }),
  ...asBoth('run --security-opt mask / unmask', ({ podman }) => {
    const list = ['box', 'sh', '-c', 'ls /etc | wc -l; cat /proc/timer_list 2>/dev/null | wc -c'];
    deepEqual(podman.ok(...RUN, '--security-opt', 'mask=/etc', ...list).split('\n'), ['0', '0']);
    const mounts = (...options: string[]) => podman.ok(...RUN, ...options, 'box', 'cat', '/proc/self/mounts');
    match(mounts(), / \/proc\/acpi /);
    ok(!/ \/proc\/(acpi|kcore|sys) /.test(mounts('--security-opt', 'unmask=ALL')));
  }),
  ...asBoth('run --read-only / --tmpfs', ({ podman }) => {
    const script = 'touch /file 2>/dev/null || echo no; touch /tmp/x /run/x /more/x && echo yes';
    equal(
      podman.ok(...RUN, '--read-only', '--tmpfs', '/more:size=64k', 'box', 'sh', '-c', script),
      'no\nyes',
    );
    const { code } = podman.call(...RUN, '--read-only', '--read-only-tmpfs=false', 'box', 'touch', '/tmp/x');
    equal(code, 1);
  }),
  ...asBoth('run -v: folders of the host', ({ podman, folder, run }) => {
    run('sh', '-c', `mkdir -p ${folder}/data && echo from the host > ${folder}/data/in`);
    const mount = ['-v', `${folder}/data:/data`];
    const script = 'cat /data/in; echo from the container > /data/out';
    equal(podman.ok(...RUN, ...mount, 'box', 'sh', '-c', script), 'from the host');
    equal(run('cat', `${folder}/data/out`).stdout, 'from the container\n');
    equal(podman.call(...RUN, '-v', `${folder}/data:/data:ro`, 'box', 'touch', '/data/x').code, 1);
    const options = podman.ok(
      ...RUN,
      '-v',
      `${folder}/data:/data:nosuid,nodev,noexec,rslave`,
      'box',
      'grep',
      ' /data ',
      '/proc/self/mountinfo',
    );
    match(options, /nosuid,nodev,noexec/);
  }),
  ...asBoth('run -v: a volume', ({ podman }) => {
    podman.ok('volume', 'create', 'vol');
    podman.ok(...RUN, '-v', 'vol:/data', 'box', 'sh', '-c', 'echo kept > /data/file');
    equal(podman.ok(...RUN, '-v', 'vol:/data:ro', 'box', 'cat', '/data/file'), 'kept');
    equal(podman.ok(...RUN, '-v', 'vol:/etc:U', '--user', '1000', 'box', 'stat', '-c', '%u', '/etc'), '1000');
    // What the image has at the place is copied into a new volume.
    match(podman.ok(...RUN, '-v', 'fresh:/etc', 'box', 'cat', '/etc/passwd'), /^root:/);
  }),
  ...asBoth('run --mount / --shm-size / --device', ({ podman }) => {
    const mount = ['--mount', 'type=tmpfs,dst=/small,tmpfs-size=64k', '--shm-size', '1m'];
    const sizes = podman.ok(...RUN, ...mount, 'box', 'sh', '-c', 'df -k /small /dev/shm | tail -n +2');
    match(sizes, /\b64\b[\s\S]*\b1024\b/);
    equal(
      podman.ok(...RUN, '--device', '/dev/fuse', 'box', 'stat', '-c', '%F', '/dev/fuse'),
      'character special file',
    );
    equal(
      podman.ok(
        ...RUN,
        '--device',
        '/dev/zero:/dev/other:r',
        'box',
        'sh',
        '-c',
        'head -c 3 /dev/other | wc -c',
      ),
      '3',
    );
  }),
  ...asRoot('run --mount type=image / propagation', ({ podman, folder, run }) => {
    equal(
      podman
        .ok(...RUN, '--mount', 'type=image,src=box,dst=/image', 'box', 'cat', '/image/etc/group')
        .split('\n').length,
      3,
    );
    run(
      'sh',
      '-c',
      `mkdir -p ${folder}/shared && mount -t tmpfs tmpfs ${folder}/shared && mount --make-shared ${folder}/shared`,
    );
    try {
      const mount = [
        '--privileged',
        '--mount',
        `type=bind,src=${folder}/shared,dst=/shared,bind-propagation=rshared`,
      ];
      podman.ok(
        ...RUN,
        ...mount,
        'box',
        'sh',
        '-c',
        'mkdir /shared/x && mount -t tmpfs tmpfs /shared/x && touch /shared/x/seen',
      );
      equal(run('ls', `${folder}/shared/x`).stdout, 'seen\n');
    } finally {
      run('umount', '-R', '-l', `${folder}/shared`);
    }
  }),
  ...asBoth(
    'run --ulimit',
    ({ podman }) => {
      const script = 'ulimit -n; ulimit -Hn';
      equal(podman.ok(...RUN, '--ulimit', 'nofile=77:88', 'box', 'sh', '-c', script), '77\n88');
    },
    { vm: true },
  ),
  ...asBoth('run --umask / --workdir / --hostname', ({ podman }) => {
    const options = ['--umask', '0077', '--workdir', '/tmp', '--hostname', 'named'];
    equal(podman.ok(...RUN, ...options, 'box', 'sh', '-c', 'umask; pwd; hostname'), '0077\n/tmp\nnamed');
  }),
  ...asBoth('run --sysctl / --oom-score-adj', ({ podman, rootless }) => {
    const options = ['--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'kernel.shm_rmid_forced=1'];
    const script =
      'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced /proc/self/oom_score_adj';
    const adjust = rootless ? '500' : '300';
    equal(
      podman.ok(...RUN, ...options, '--oom-score-adj', adjust, 'box', 'sh', '-c', script),
      `1\n1\n${adjust}`,
    );
  }),
  ...asBoth('run --pid / --ipc / --uts / --cgroupns host', ({ podman, run }) => {
    for (const [option, name] of [
      ['pid', 'pid'],
      ['ipc', 'ipc'],
      ['uts', 'uts'],
      ['cgroupns', 'cgroup'],
    ] as const) {
      const link = ['readlink', `/proc/self/ns/${name}`];
      const host = run(...link).stdout.trim();
      equal(podman.ok('run', '--rm', '--network', 'none', `--${option}`, 'host', 'box', ...link), host);
      notEqual(podman.ok('run', '--rm', '--network', 'none', `--${option}`, 'private', 'box', ...link), host);
    }
  }),
  ...asBoth('run --pid / --ipc / --network container', ({ podman }) => {
    podman.ok(
      'run',
      '-d',
      '--name',
      'one',
      '--ipc',
      'shareable',
      '--network',
      'none',
      'box',
      'sleep',
      '1000',
    );
    const join = ['--pid', 'container:one', '--ipc', 'container:one', '--network', 'container:one'];
    const names = ['sh', '-c', 'for i in pid ipc net; do readlink /proc/self/ns/$i; done'];
    const its = podman.ok('exec', 'one', ...names);
    equal(podman.ok('run', '--rm', ...join, 'box', ...names), its);
  }),
  ...asRoot('run --uidmap / --gidmap / --userns auto', ({ podman }) => {
    const map = [
      'box',
      'sh',
      '-c',
      'cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c %u:%g /etc/passwd',
    ];
    const own = podman.ok(...RUN, '--uidmap', '0:300000:1000', '--gidmap', '0:400000:1000', ...map);
    deepEqual(own.replaceAll(/ +/g, ' ').split('\n'), [' 0 300000 1000', ' 0 400000 1000', '0', '0:0']);
    const auto = podman.ok(...RUN, '--userns', 'auto:size=2000', ...map);
    match(auto, /^ *0 +4000000 +2000$/m);
  }),
  ...asUser('run --userns keep-id / nomap / auto', ({ podman, run }) => {
    const id = run('id', '-u').stdout.trim();
    equal(podman.ok(...RUN, 'box', 'id', '-u'), '0');
    equal(podman.ok(...RUN, '--userns', 'keep-id', 'box', 'id', '-u'), id);
    podman.ok(...RUN, '--userns', 'nomap', 'box', 'true');
    match(
      podman.ok(...RUN, '--userns', 'auto:size=1000', 'box', 'cat', '/proc/self/uid_map'),
      /^ +0 +1 +1000$/,
    );
  }),
  ...asUser('run -v with keep-id: files are the user’s', ({ podman, folder, run }) => {
    podman.ok(...RUN, '--userns', 'keep-id', '-v', `${folder}:/here`, 'box', 'touch', '/here/mine');
    equal(run('stat', '-c', '%u', `${folder}/mine`).stdout, run('id', '-u').stdout);
  }),
  ...asRoot('run --rootfs', ({ podman, folder, run, place }) => {
    run(
      'sh',
      '-c',
      `mkdir -p ${folder}/rootfs/bin && cp /bin/busybox ${folder}/rootfs/bin/ && cd ${folder}/rootfs && mkdir -p proc sys dev etc tmp run`,
    );
    const args = ['--rootfs', `${folder}/rootfs`, '/bin/busybox', 'echo', 'from a folder'];
    equal(podman.ok(...RUN, ...args), 'from a folder', place);
  }),
  ...asRoot('run --systemd always', ({ podman }) => {
    const out = podman.ok(
      ...RUN,
      '--systemd',
      'always',
      'box',
      'sh',
      '-c',
      'mkdir /sys/fs/cgroup/own && grep ^0: /proc/self/cgroup; echo $container',
    );
    match(out, /^0::\/\npodman$/);
  }),
];
